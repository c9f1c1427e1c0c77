"""What do the literature's measures say of one aligned pair of images?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics import frc, measures
from ptyrun.ptycho.metrics.dips import notes_of_dips, of_levels
from ptyrun.ptycho.metrics.factors import Moments
from ptyrun.ptycho.metrics.image_pair import ImagePair, Reasons, counted
from ptyrun.ptycho.metrics.phase_pair import FEWEST_PX, LEAST_PX, PhasePair
from ptyrun.ptycho.metrics.phases import without_plane
from ptyrun.ptycho.metrics.tiles import Adding, Tiles
from ptyrun.resolutions import NYQUIST, is_at_least
from ptyrun.results import Metric
from ptyrun.shares import as_percent

_THRESHOLD = (
    "in fractions of Nyquist, with its sign (doi:10.1111/j.1365-2818.1982.tb00405.x); of two "
    "noisy images T, against a noise-free one sqrt(2T/(1+T)) (doi:10.1016/j.jmb.2003.07.013): "
    "`frc_thresholds` says which"
)
_PHASE = (
    "of the phase where the truth's amplitude is not below 5 % of what is typical of it; where "
    "only the reconstruction's is, that counts as a random phase"
)

SOURCES: Mapping[str, str] = {
    "mae": "mean absolute difference; of amplitudes, after scaling to the truth's mean; of phases, "
    f"that of R O*, which has no wraps; {_PHASE}",
    "psnr": f"by the range of the truth; doi:10.1049/el:20080522; {_PHASE}",
    "weighted_mae": "of phases, weighted by the truth's amplitude",
    "weighted_psnr": "of phases, squared errors weighted by the truth's amplitude; "
    "doi:10.1049/el:20080522",
    "phase_defined_share": "of the covered pixels, those at which neither amplitude is below 5 % "
    "of what is typical of its image (half of its sum lies above)",
    "ssim": "Wang et al. 2004, by the range of the truth; of phases, which have no zero, contrast "
    "and structure without luminance; doi:10.1109/TIP.2003.819861",
    "ms_ssim": "Wang et al. 2003, of scikit-image's SSIM; of phases without luminance; "
    "doi:10.1109/ACSSC.2003.1292216",
    "complex_error": "relative, after the best global factor; doi:10.1364/AO.36.008352",
    "invariant_error": "squared, Fienup 1997; doi:10.1364/AO.36.008352",
    "coherence": "modulus of the correlation of the complex fields without their means: blind to "
    "sign",
    "contrast_correlation": "correlation without means, of phases without planes, with its sign: "
    "-1 for inverted contrast; Pearson 1895; doi:10.1098/rspl.1895.0041",
    "contrast_transfer": "slope of the contrast on the truth's, 1 where it is kept; of phases "
    "without planes, of amplitudes after scaling to the truth's mean; doi:10.1098/rspl.1896.0075",
    "frc50": "FRC 0.5, whatever is noisy, in fractions of Nyquist, with its sign; "
    "doi:10.1111/j.1365-2818.1982.tb00405.x",
    "frc1over7": f"FRC, T = 1/7, {_THRESHOLD}",
    "frc_half_bit": f"FRC, T of half a bit (doi:10.1016/j.jsb.2005.05.009), {_THRESHOLD}",
    "frc_one_bit": f"FRC, T of one bit (doi:10.1016/j.jsb.2005.05.009), {_THRESHOLD}",
}

MOST_OF_IT = 2 / 3  # of an image, what a square in its middle has unless something is said
WORTH_A_NOTE = 5e-4  # of the region; less would be called 0.0 %

# Of two noisy images.
THRESHOLDS: Mapping[str, frc.Threshold] = {
    "frc50": frc.fixed(0.5),
    "frc1over7": frc.fixed(1 / 7),
    "frc_half_bit": frc.bits(0.5),
    "frc_one_bit": frc.bits(1.0),
}
TRUTH_THRESHOLDS: Mapping[str, frc.Threshold] = {
    "frc50": frc.fixed(0.5),
    "frc1over7": frc.against_truth(1 / 7),
    "frc_half_bit": frc.against_truth(frc.level_of_bits(0.5)),
    "frc_one_bit": frc.against_truth(frc.level_of_bits(1.0)),
}

Complex2D = NDArray[np.complexfloating[Any, Any]]
Image = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Curves:
    """Tapered ring correlations (R,) up to Nyquist: of amplitude, of phase and of the field.

    NaN where there is none.
    """

    amplitude: frc.RingCorrelation
    phase: frc.RingCorrelation
    field: frc.RingCorrelation


@dataclass(frozen=True)
class Standard:
    """The measures by name, the curves behind the resolutions, and what must be said of them.

    Attributes
    ----------
    metrics : mapping of str to Metric
        A resolution is None where the curve never falls below its threshold.
    curves : Curves
        Ring correlations of amplitude, phase and field.
    notes : tuple of str
        Name resolutions that are None, and other things to know.
    noise : Noise
        Which thresholds these are.
    undefined : mapping of str to str
        Why a number, named as in "frc50.phase", does not exist and is NaN.
    tiles : Tiles, optional
        What the numbers add up from, if it was asked for.
    """

    metrics: Mapping[str, Metric]
    curves: Curves
    notes: tuple[str, ...]
    noise: frc.Noise
    undefined: Mapping[str, str]
    tiles: Tiles | None = None


def standard_metrics(
    recon: Complex2D,
    truth: Complex2D,
    covered: Mask,
    noise: frc.Noise = frc.Noise.FIRST,
    within: Mask | None = None,
    *,
    tiled: bool = False,
) -> Standard:
    """Measure an aligned pair over its covered pixels.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
        From :func:`ptyrun.ptycho.metrics.alignment.align`.
    covered : ndarray of bool, shape (H, W)
        Where *recon* is known; nothing else is measured.
    noise : Noise
        BOTH where *truth* is another reconstruction.
    within : ndarray of bool, shape (H, W), optional
        Where a phase may be compared at most: several arms are compared where all have one.
    tiled : bool
        Whether to keep what the figures add up from, tile by tile.

    Returns
    -------
    Standard
        Every measure of this module's table.
    """
    n_px = int(covered.sum())
    if n_px < LEAST_PX:
        return nothing(f"only {n_px} px are covered, of {LEAST_PX} at least: no figure", noise)
    phases = PhasePair.of(recon, truth, covered, within)
    curves = _correlations(recon, truth, covered, phases)
    of_field = field_metrics(counted(recon, covered), counted(truth, covered))
    adding = Adding(covered.shape) if tiled else None
    # One image after the other: of a large one, each is as much memory as all that is compared.
    of_amplitude, of_amplitudes = _measured(
        "amplitude", ImagePair.amplitude(recon, truth, covered), adding
    )
    of_phase, of_phases = _measured(
        "phase", ImagePair.of_phases(phases, recon, truth), adding, np.abs(truth)
    )
    values = {
        name: Metric(of_amplitude.get(name), of_phase.get(name), of_field.get(name))
        for name in (*of_phase, *(name for name in of_field if name not in of_phase))
    }
    curves = _where_contrasted(curves, of_amplitudes, of_phases)
    share = float(phases.defined[covered].mean())
    values["phase_defined_share"] = Metric(phase=share)
    thresholds = THRESHOLDS if noise is frc.Noise.BOTH else TRUTH_THRESHOLDS
    values |= resolutions(curves, thresholds)
    dips = notes_of_dips(vars(curves), thresholds)
    notes = (*_notes(values, covered), *dips, *_phase_notes(phases, covered))
    undefined = {
        f"{name}.{part}": why(name)
        for part, why in (
            ("amplitude", of_amplitudes.why_none),
            ("phase", of_phases.why_none),
            ("value", of_amplitudes.why_none),
        )
        for name, metric in values.items()
        if (value := metric[part]) is not None and math.isnan(value)
    }
    if adding is not None:
        adding.field(recon, truth, covered)
    tiles = None if adding is None else adding.tiles
    return Standard(values, curves, notes, noise, undefined, tiles)


def _measured(
    name: str, image: ImagePair, adding: Adding | None, weights: Image | None = None
) -> tuple[dict[str, float], Reasons]:
    """The figures of amplitudes or phases, by *weights* too if there are some, and why one is NaN.

    What they add up from is put to *adding*; the images themselves are not needed any more.
    """
    found = image.measured()
    if weights is not None:
        found |= image.weighted(weights)
    if adding is not None:
        adding.part(name, image)
    return found, image.reasons


def nothing(why: str, noise: frc.Noise) -> Standard:
    """Say why there are no figures.

    Parameters
    ----------
    why : str
        The reason, for a person.
    noise : Noise
        Which thresholds would have been used.

    Returns
    -------
    Standard
        Without a number.
    """
    none = frc.RingCorrelation(np.empty(0), np.empty(0, np.int64), 0)
    return Standard({}, Curves(none, none, none), (why,), noise, {})


def field_metrics(recon: Complex2D, truth: Complex2D) -> dict[str, float]:
    """Measure the complex fields as such.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (k,)
        Of the pixels that count.

    Returns
    -------
    dict of str to float
        By name; see :mod:`ptyrun.ptycho.metrics.measures`.
    """
    between = Moments.of(recon, truth)
    fitted = between.factor * recon
    invariant = measures.relative_power(truth - fitted, truth)
    return {
        "complex_error": math.sqrt(invariant),
        "invariant_error": invariant,
        "coherence": between.coherence,
        "contrast_correlation": measures.contrast_correlation(fitted, truth),
    }


def correlations(first: Complex2D, second: Complex2D, covered: Mask) -> Curves:
    """Correlate amplitude, phase and field of an aligned pair, tapered, up to Nyquist.

    Parameters
    ----------
    first, second : ndarray of complex, shape (H, W)
        Aligned.
    covered : ndarray of bool, shape (H, W)
        Where both are known.

    Returns
    -------
    Curves
        By ring, and which rings there are.
    """
    return _correlations(first, second, covered, PhasePair.of(first, second, covered))


def _correlations(first: Complex2D, second: Complex2D, covered: Mask, phases: PhasePair) -> Curves:
    # The reconstruction was given the truth's plane, which leaks into every ring.
    own, wanted = (without_plane(each, phases.defined) for each in (phases.recon, phases.truth))
    of_phase = frc.tapered_correlation(own, wanted, phases.defined)
    del own, wanted
    return Curves(
        frc.tapered_correlation(np.abs(first), np.abs(second), covered),
        frc.unknown(of_phase) if phases.why_none else of_phase,
        frc.tapered_correlation(first, second, covered),
    )


def _where_contrasted(curves: Curves, amplitudes: Reasons, phases: Reasons) -> Curves:
    """Leave no curve of what the truth does not have: it would be one of rounding errors."""
    has_contrast = amplitudes.data_range or phases.data_range or phases.lacks
    return Curves(
        curves.amplitude if amplitudes.data_range else frc.unknown(curves.amplitude),
        curves.phase if phases.data_range else frc.unknown(curves.phase),
        curves.field if has_contrast else frc.unknown(curves.field),
    )


def resolutions(
    curves: Curves, thresholds: Mapping[str, frc.Threshold] = TRUTH_THRESHOLDS
) -> dict[str, Metric]:
    """Find where each curve crosses each threshold, in fractions of Nyquist.

    Parameters
    ----------
    curves : Curves
        Ring correlations.
    thresholds : mapping of str to Threshold
        By the name of the metric.

    Returns
    -------
    dict of str to Metric
        In fractions of Nyquist; 1 where a curve never falls below: at least there.
    """
    return {
        name: Metric(
            amplitude=_at_most_nyquist(frc.crossing(curves.amplitude, threshold)),
            phase=_at_most_nyquist(frc.crossing(curves.phase, threshold)),
            value=_at_most_nyquist(frc.crossing(curves.field, threshold)),
        )
        for name, threshold in thresholds.items()
    }


def _at_most_nyquist(found: frc.Crossing) -> float:
    return NYQUIST if found.nyquist_fraction is None else found.nyquist_fraction


def _phase_notes(phases: PhasePair, covered: Mask) -> tuple[str, ...]:
    notes = []
    share = 1 - float(phases.defined[covered].mean())
    if share >= WORTH_A_NOTE:
        too_dark = as_percent(share)
        notes.append(f"{too_dark} of the covered pixels have too little amplitude for a phase")
    if phases.why_none:
        notes.append(f"figures of the phase cannot be told: {phases.why_none}")
    return tuple(notes)


def _notes(metrics: Mapping[str, Metric], covered: Mask) -> tuple[str, ...]:
    without_crossing: dict[str, list[str]] = {}
    for name in THRESHOLDS:
        found = metrics[name]
        parts = {"amplitude": found.amplitude, "phase": found.phase, "field": found.value}
        beyond = ", ".join(part for part, value in parts.items() if is_at_least(name, value))
        without_crossing.setdefault(beyond, []).append(name)
    notes = [
        f"{of_levels(names)} of {parts}: no crossing, agreement at least up to Nyquist"
        for parts, names in without_crossing.items()
        if parts
    ]
    n_px = int(covered.sum())
    if n_px < FEWEST_PX:
        notes.append(f"only {n_px} px are covered: figures say little")
    side = min(covered.shape)
    if side**2 < MOST_OF_IT * covered.size:
        share = as_percent(side**2 / covered.size)
        notes.append(f"FRC is of the {side} x {side} px in the middle alone, {share} of the image")
    holes = 1 - float(covered.mean())
    scales = len(measures.wang_scales(covered))
    if scales < len(measures.WANG_WEIGHTS):
        why = "no larger piece is covered" if holes else "a small image"
        of_how_many = f"{scales} of {len(measures.WANG_WEIGHTS)}"
        notes.append(f"MS-SSIM has {of_how_many} scales: {why}")
    if holes >= WORTH_A_NOTE:
        height, width = covered.shape
        left_out = as_percent(holes)
        notes.append(
            f"{left_out} of the {height} x {width} px measured are left out: not all that is "
            "compared covers them"
        )
    return tuple(notes)
