"""What does a comparison amount to, in five lines? Said with figures of ``results.json`` alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ptyrun.comparison.frame_remarks import cautions, frames_of, noise_alone, scan_doubts
from ptyrun.resolutions import AT_LEAST, is_at_least
from ptyrun.results import Metric, Results
from ptyrun.shares import as_percent

_DECISIVE = "complex_error"
_RESOLUTION = "frc50"
_OF_FRAMES = "r_factor"


@dataclass(frozen=True)
class Line:
    """One answer."""

    name: str
    text: str


def conclusion(results: Results, reference: str) -> tuple[Line, ...]:
    """Say who is nearest to the reference and by how much, where, how surely, and two figures more.

    Parameters
    ----------
    results : Results
    reference : str
        What arms are held against is called.
    """
    return (
        _nearest(results, reference),
        Line("Measured on", _where(results)),
        Line("How sure", _how_sure(results)),
        Line("R-factor", _r_factors(results, reference)),
        Line("Resolution", _resolutions(results, reference)),
    )


def _nearest(results: Results, reference: str) -> Line:
    found = _ranked(results, _DECISIVE)
    if not found and results.is_measured:
        return _apart(results, reference)
    if not found:
        said = [
            f"{' – '.join(results.labels_of(pair))}: coherence {_number(value)}"
            for pair in results.pairs
            if (value := pair.standard.get("coherence", Metric()).value) is not None
        ]
        alone = "there is one arm and nothing to compare it with"
        text = "; ".join(said) or (alone if len(results.arms) == 1 else "too few pixels in common")
        return _best_fit(results, text) or Line("Agreement of the arms", text)
    (best, least), *others = found
    text = (
        f"{_label(results, best)}, with a relative error of the complex field of {_number(least)}"
    )
    against = f"the {reference.lower()}"
    if not others:
        return Line(f"Against {against}", text)
    if not results.are_comparable:
        more = [f"{_label(results, name)} {_number(value)}" for name, value in others]
        return Line(f"Against {against}, not ranked", "; ".join([text, *more]))
    more = [
        f"{_label(results, name)} {_number(value)} (+{_number(value - least)}"
        f"{_between(results, name, best)})"
        for name, value in others
    ]
    second = others[0][0]
    is_sure = results.are_distinguished(best, second, f"{_DECISIVE}.value")
    name = f"Nearest to {against}" + (", within chance" if is_sure is False else "")
    return Line(name, "; ".join([text, *more]))


def _best_fit(results: Results, agreement: str) -> Line | None:
    """Where nothing else tells: who explains the frames best, if it is known how surely."""
    found = _ranked(results, _OF_FRAMES)
    if len(found) < 2:
        return None
    (best, least), *others = found
    is_sure = results.are_distinguished(best, others[0][0], f"{_OF_FRAMES}.value")
    if is_sure is None:
        return None
    said = [f"{_label(results, best)}, with an R-factor of {_number(least)}"]
    said += [
        f"{_label(results, name)} {_number(value)} (+{_number(value - least)}"
        f"{_between(results, name, best, _OF_FRAMES)})"
        for name, value in others
    ]
    chance = "" if is_sure else ", within chance"
    return Line(f"Fits the frames best{chance}", "; ".join([*said, f"agreement: {agreement}"]))


def _apart(results: Results, reference: str) -> Line:
    """Each arm on its own pixels, where all of them together have too few."""
    own = [
        (arm.label, arm.own.standard.get(_DECISIVE, Metric()).value)
        for arm in results.arms.values()
        if arm.own
    ]
    each = [f"{label} {'–' if value is None else _number(value)}" for label, value in own]
    several = "the arms cover too few pixels in common; each on its own"
    why = "it covers too few pixels" if len(own) == 1 else several
    text = f"{why}: {', '.join(each)}"
    return Line(f"Against the {reference.lower()}, not ranked", text)


def _between(results: Results, first: str, second: str, metric: str = _DECISIVE) -> str:
    """Say between which values the first's error less the second's lies."""
    for difference in results.differences:
        if {difference.first, difference.second} != {first, second}:
            continue
        found = difference.intervals.get(f"{metric}.value")
        if found is None:
            return ""
        ends = (found.low, found.high)
        low, high = ends if difference.first == first else (-ends[1], -ends[0])
        return f", between {_number(low)} and {_number(high)}"
    return ""


def _where(results: Results) -> str:
    if results.common is not None and len(results.arms) > 1:
        return str(results.common)
    _, _, height, width = results.evaluated_region_px
    if not results.is_measured:
        region = f"{height} × {width} px"
        pairs = any(pair.standard for pair in results.pairs)
        return f"what arms cover of {region}" if pairs else f"nothing: no pair of arms in {region}"
    shares = [
        f"{arm.label} {as_percent(arm.own.covered_share)}"
        for arm in results.arms.values()
        if arm.own
    ]
    region = f"{height} × {width} px"
    return f"{region}, covered: {', '.join(shares)}" if shares else region


def _how_sure(results: Results) -> str:
    said = list(_intervals(results))
    nearest, explains = _ranked(results, _DECISIVE), _ranked(results, _OF_FRAMES)
    own = results.truth.get(_OF_FRAMES, Metric()).value
    if (
        nearest
        and explains
        and not scan_doubts(results)
        and (own is None or explains[0][1] >= own)  # else it prefers what the truth is not
        and nearest[0][0] != explains[0][0]
        and results.are_distinguished(nearest[0][0], explains[0][0], f"{_OF_FRAMES}.value")
        is not False
    ):
        said.append(f"the R-factor prefers {_label(results, explains[0][0])}")
    return "; ".join(said)


def _intervals(results: Results) -> Iterator[str]:
    found = results.resampling
    if found is None or found.why_none:
        why = f": {found.why_none}" if found else ""
        yield f"no interval is known{why}; small differences may be chance"
        return
    decisive, which, blocks = _DECISIVE, "", ""
    if found.n_blocks is not None:
        blocks = f" of {found.n_blocks} blocks of {found.block_px} px"
    elif found.n_frame_blocks is not None:
        decisive, which = _OF_FRAMES, " of the R-factor"
        blocks = f" of {found.n_frame_blocks} blocks of frames"
    yield f"{found.confidence:.0%} intervals{which} by a bootstrap{blocks}"
    for (first, _), (second, _) in pairwise(_ranked(results, decisive)):
        is_sure = results.are_distinguished(first, second, f"{decisive}.value")
        if is_sure is not None:
            labels = f"{_label(results, first)} and {_label(results, second)}"
            yield f"{labels} {'differ by more than chance' if is_sure else 'are not distinguished'}"


def _r_factors(results: Results, reference: str) -> str:
    found = _ranked(results, _OF_FRAMES)
    said = [f"{_label(results, name)} {_number(value)}" for name, value in found]
    own = results.truth.get(_OF_FRAMES, Metric()).value
    if own is not None:
        said.append(f"the {reference.lower()} itself {_number(own)}")
    if found:
        said += filter(None, [noise_alone(results)])
    text = ", ".join([*said, *_untold(results, _OF_FRAMES)]) or "not known"
    return "; ".join(filter(None, [text, frames_of(results), *cautions(results)]))


def _untold(results: Results, metric: str) -> Iterator[str]:
    """Name arms of which a figure of the whole cannot be told, and say why; alike ones at once."""
    by_reason: dict[str, list[str]] = {}
    for arm in results.arms.values():
        why = arm.undefined.get(f"{metric}.value")
        if why is None and results.is_measured and metric not in arm.standard and arm.own:
            why = "too few pixels that it shares with all others"
        if why is not None:
            by_reason.setdefault(why, []).append(arm.label)
    for why, labels in by_reason.items():
        yield f"{', '.join(labels)} cannot be told ({why})"


def _resolutions(results: Results, reference: str) -> str:
    unit, key = results.half_period_unit, f"{_RESOLUTION}.value"
    said, untold = [], list(_untold(results, _RESOLUTION))
    for arm in results.arms.values():
        if _RESOLUTION in arm.standard and key not in arm.undefined:
            length = arm.half_period.get(_RESOLUTION, Metric()).value
            text = _crossing(arm.standard[_RESOLUTION].value, length, unit)
            said.append(f"{arm.label} {text}")
    of = f"FRC of the complex field with the {reference.lower()} falls below 0.5"
    if not said and not results.is_measured:
        of = "FRC of the complex fields of two arms falls below 0.5"
        for pair in results.pairs:
            label = " – ".join(results.labels_of(pair))
            if key in pair.undefined:
                untold.append(f"{label} cannot be told ({pair.undefined[key]})")
            elif _RESOLUTION in pair.standard:
                value = pair.standard[_RESOLUTION].value
                said.append(f"{label} {_crossing(value, _length(results, value), unit)}")
    explained = f" (half period at which the {of})" if said else ""
    text = f"{', '.join(said)}{explained}"
    text = "; ".join(filter(None, [text, *untold])) or "not known"
    halves = [
        f"{arm.label} {_fraction(value)}"
        for arm in results.arms.values()
        if arm.halves and (value := arm.halves.precision.get(_RESOLUTION, Metric()).value)
    ]
    return f"{text}; halves of one network agree up to: {', '.join(halves)}" if halves else text


def _length(results: Results, nyquist_fraction: float | None) -> float | None:
    """Half a period, in nm or in pixels."""
    unit = 1e9 * results.pixel_size_m if results.pixel_size_m else 1.0
    return unit / nyquist_fraction if nyquist_fraction else None


def _crossing(nyquist_fraction: float | None, length: float | None, unit: str) -> str:
    if nyquist_fraction is None:
        return "–"
    bound = "≤ " if is_at_least(_RESOLUTION, nyquist_fraction) else ""
    place = _fraction(nyquist_fraction)
    return place if length is None else f"{bound}{length:.3g} {unit}, {place}"


def _fraction(of_nyquist: float) -> str:
    if is_at_least(_RESOLUTION, of_nyquist):
        return f"{AT_LEAST} of Nyquist (no crossing)"
    return f"{of_nyquist:.3f} of Nyquist"


def _label(results: Results, name: str) -> str:
    return results.arms[name].label


def _ranked(results: Results, metric: str) -> list[tuple[str, float]]:
    """Names of arms and their values, the least first."""
    found = [(name, arm.standard.get(metric, Metric()).value) for name, arm in results.arms.items()]
    known = [(name, value) for name, value in found if value is not None]
    return sorted(known, key=lambda each: each[1])


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")
