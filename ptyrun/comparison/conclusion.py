"""What does a comparison amount to, in five lines? Said with figures of ``results.json`` alone."""

from __future__ import annotations

from dataclasses import dataclass

from ptyrun.results import Metric, Results

_DECISIVE = "complex_error"
_RESOLUTION = "frc50"


@dataclass(frozen=True)
class Line:
    """One answer."""

    name: str
    text: str


def conclusion(
    results: Results, reference: str, pixel_size_m: float | None = None
) -> tuple[Line, ...]:
    """Say who is nearest to the reference and by how much, where, how surely, and two figures more.

    Parameters
    ----------
    results : Results
    reference : str
        What arms are held against is called.
    pixel_size_m : float, optional
        Object pixel in metres, for resolutions.
    """
    return (
        _nearest(results, reference),
        Line("Measured on", _where(results)),
        Line("How sure", _how_sure(results)),
        Line("R-factor", _r_factors(results, reference)),
        Line("Resolution", _resolutions(results, reference, pixel_size_m)),
    )


def _nearest(results: Results, reference: str) -> Line:
    found = _ranked(results, _DECISIVE)
    if not found:
        said = [
            f"{' – '.join(results.labels_of(pair))}: coherence {_number(value)}"
            for pair in results.pairs
            if (value := pair.standard.get("coherence", Metric()).value) is not None
        ]
        text = "; ".join(said) or "there is one arm and nothing to hold it against"
        return Line("Agreement of the arms", text)
    (best, least), *others = found
    more = [f"{label} {_number(value)} (+{_number(value - least)})" for label, value in others]
    text = f"{best}, with a relative error of the complex field of {_number(least)}"
    name = f"Nearest to the {reference.lower()}" if more else f"Against the {reference.lower()}"
    if not results.are_comparable:
        name = f"Against the {reference.lower()}, not ranked"
        more = [f"{label} {_number(value)}" for label, value in others]
    return Line(name, "; ".join([text, *more]))


def _where(results: Results) -> str:
    if results.common is not None and len(results.arms) > 1:
        return str(results.common)
    _, _, height, width = results.evaluated_region_px
    shares = [
        f"{arm.label} {arm.own.covered_share:.1%}" for arm in results.arms.values() if arm.own
    ]
    region = f"{height} × {width} px"
    return f"{region}, covered: {', '.join(shares)}" if shares else region


def _how_sure(results: Results) -> str:
    said = ["one scan, one comparison; no interval is known, so small differences may be chance"]
    nearest, explains = _ranked(results, _DECISIVE), _ranked(results, "r_factor")
    if nearest and explains and nearest[0][0] != explains[0][0]:
        said.append(f"the R-factor prefers {explains[0][0]}")
    return "; ".join(said)


def _r_factors(results: Results, reference: str) -> str:
    said = [f"{label} {_number(value)}" for label, value in _ranked(results, "r_factor")]
    own = results.truth.get("r_factor", Metric()).value
    if own is not None:
        said.append(f"the {reference.lower()} itself {_number(own)}")
    return ", ".join(said) or "not known"


def _resolutions(results: Results, reference: str, pixel_size_m: float | None) -> str:
    crossings = [
        (arm.label, arm.standard[_RESOLUTION].value)
        for arm in results.arms.values()
        if _RESOLUTION in arm.standard and f"{_RESOLUTION}.value" not in arm.undefined
    ]
    of = f"FRC of the complex field with the {reference.lower()} falls below 0.5"
    if not crossings:
        crossings = [
            (" – ".join(results.labels_of(pair)), pair.standard[_RESOLUTION].value)
            for pair in results.pairs
            if _RESOLUTION in pair.standard and f"{_RESOLUTION}.value" not in pair.undefined
        ]
        of = "FRC of the complex fields of two arms falls below 0.5"
    said = [f"{label} {_half_period(value, pixel_size_m)}" for label, value in crossings]
    return f"{', '.join(said)} (half period at which the {of})" if said else "not known"


def _half_period(nyquist_fraction: float | None, pixel_size_m: float | None) -> str:
    if nyquist_fraction is None:
        return "nowhere up to Nyquist"
    if nyquist_fraction <= 0:
        return "nothing resolved"
    half_px = 1 / nyquist_fraction
    length = f"{half_px:.3g} px"
    if pixel_size_m is not None:
        length = f"{half_px * pixel_size_m * 1e9:.3g} nm"
    return f"{length}, {nyquist_fraction:.3f} of Nyquist"


def _ranked(results: Results, metric: str) -> list[tuple[str, float]]:
    """Labels and values, the least first."""
    found = [(arm.label, arm.standard.get(metric, Metric()).value) for arm in results.arms.values()]
    known = [(label, value) for label, value in found if value is not None]
    return sorted(known, key=lambda each: each[1])


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")
