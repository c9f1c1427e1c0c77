"""What do the literature's measures say of one aligned pair of images?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.metrics import frc, measures
from ptyrun.ptycho.metrics.alignment import amplitude_factor, coherence, global_factor
from ptyrun.results import Metric

SOURCES: Mapping[str, str] = {
    "mae": "mean absolute difference; of amplitudes, after scaling to the truth's mean; of phases, "
    "that of R O*, which has no wraps",
    "psnr": "by the range of the truth; doi:10.1049/el:20080522",
    "ssim": "Wang et al. 2004, by the range of the truth, from its lowest phase; "
    "doi:10.1109/TIP.2003.819861",
    "ms_ssim": "Wang et al. 2003, of scikit-image's SSIM; doi:10.1109/ACSSC.2003.1292216",
    "complex_error": "relative, after the best global factor; doi:10.1364/AO.36.008352",
    "invariant_error": "squared, Fienup 1997; doi:10.1364/AO.36.008352",
    "coherence": "modulus of the correlation of the complex fields without their means: blind to "
    "sign",
    "contrast_correlation": "correlation without means, with its sign: -1 for inverted contrast; "
    "Pearson 1895; doi:10.1098/rspl.1895.0041",
    "frc50": "FRC 0.5 in fractions of Nyquist, with its sign; "
    "doi:10.1111/j.1365-2818.1982.tb00405.x",
    "frc1over7": "FRC 1/7 in fractions of Nyquist; doi:10.1016/j.jmb.2003.07.013",
    "frc_half_bit": "van Heel and Schatz 2005; doi:10.1016/j.jsb.2005.05.009",
    "frc_one_bit": "van Heel and Schatz 2005; doi:10.1016/j.jsb.2005.05.009",
}

WORTH_A_NOTE = 5e-4  # of the region; less would be called 0.0 %

THRESHOLDS: Mapping[str, frc.Threshold] = {
    "frc50": frc.fixed(0.5),
    "frc1over7": frc.fixed(1 / 7),
    "frc_half_bit": frc.bits(0.5),
    "frc_one_bit": frc.bits(1.0),
}

Complex2D = NDArray[np.complexfloating[Any, Any]]
Image = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Curves:
    """Tapered ring correlations (R,) up to Nyquist: of amplitude, of phase and of the field."""

    amplitude: frc.RingCorrelation
    phase: frc.RingCorrelation
    field: frc.RingCorrelation


@dataclass(frozen=True)
class Standard:
    """The measures by name, the curves behind the resolutions, and what must be said of them.

    A resolution is None where the curve never falls below its threshold; ``notes`` names it.
    """

    metrics: Mapping[str, Metric]
    curves: Curves
    notes: tuple[str, ...]


def standard_metrics(recon: Complex2D, truth: Complex2D, covered: Mask) -> Standard:
    """Measure an aligned pair over its covered pixels.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
        From :func:`ptyrun.ptycho.metrics.alignment.align`.
    covered : ndarray of bool, shape (H, W)
        Where *recon* is known; nothing else is measured.
    """
    amplitude = _Image.amplitude(recon, truth, covered).measured()
    phase = _Image.phase(recon, truth, covered).measured()
    values = {name: Metric(amplitude[name], phase[name]) for name in amplitude}
    of_field = field_metrics(recon[covered], truth[covered])
    both = values.pop("contrast_correlation")
    contrast = Metric(both.amplitude, both.phase, of_field["contrast_correlation"].value)
    values |= {**of_field, "contrast_correlation": contrast}
    curves = correlations(recon, truth, covered)
    return Standard({**values, **resolutions(curves)}, curves, _notes(curves, covered))


@dataclass(frozen=True)
class _Image:
    """A quantity (H, W) of both fields, where it counts, and the range of the true one."""

    recon: Image
    truth: Image
    covered: Mask
    data_range: float

    @classmethod
    def amplitude(cls, recon: Complex2D, truth: Complex2D, covered: Mask) -> _Image:
        """Scaled to the truth's mean."""
        own, wanted = np.abs(recon), np.abs(truth)
        unit = float(wanted[covered].max())
        data_range = measures.value_range(wanted, covered, unit)
        return cls(own * amplitude_factor(own, wanted, covered), wanted, covered, data_range)

    @classmethod
    def phase(cls, recon: Complex2D, truth: Complex2D, covered: Mask) -> _Image:
        """Counted from the lowest true phase, so that similarity depends on no origin.

        The reconstruction's follows from its difference to the truth, which knows no wraps.
        """
        phase = np.angle(truth * _turned_to_middle(truth, covered))
        phase = phase - phase[covered].min()
        difference = measures.phase_difference(recon, truth)
        data_range = measures.value_range(phase, covered, 1.0)
        return cls(phase + difference, phase, covered, data_range)

    def measured(self) -> dict[str, float]:
        images = (self.recon, self.truth, self.covered)
        squared_error = float(np.mean((self.recon - self.truth)[self.covered] ** 2))
        return {
            "mae": measures.mae(*images),
            "psnr": measures.psnr(squared_error, self.data_range),
            "ssim": measures.ssim(*images, self.data_range),
            "ms_ssim": measures.ms_ssim(*images, self.data_range),
            "contrast_correlation": measures.contrast_correlation(
                self.recon[self.covered], self.truth[self.covered]
            ),
        }


def _turned_to_middle(truth: Complex2D, covered: Mask) -> complex:
    """Factor that turns the truth's mean to phase zero: around it, phases seldom wrap."""
    return complex(np.exp(-1j * np.angle(truth[covered].mean())))


def field_metrics(recon: Complex2D, truth: Complex2D) -> dict[str, Metric]:
    """Measure the complex fields as such; pixels (k,)."""
    return {
        "complex_error": Metric(value=measures.complex_error(recon, truth)),
        "invariant_error": Metric(value=measures.invariant_error(recon, truth)),
        "coherence": Metric(value=coherence(recon, truth)),
        "contrast_correlation": Metric(
            value=measures.contrast_correlation(global_factor(recon, truth) * recon, truth)
        ),
    }


def correlations(first: Complex2D, second: Complex2D, covered: Mask) -> Curves:
    """Correlate amplitude, phase and field of an aligned pair, tapered, up to Nyquist."""
    middle = _turned_to_middle(second, covered)
    return Curves(
        frc.tapered_correlation(np.abs(first), np.abs(second), covered),
        frc.tapered_correlation(np.angle(first * middle), np.angle(second * middle), covered),
        frc.tapered_correlation(first, second, covered),
    )


def resolutions(curves: Curves) -> dict[str, Metric]:
    """Find where each curve crosses each threshold, in fractions of Nyquist."""
    return {
        name: Metric(
            amplitude=frc.crossing(curves.amplitude, threshold).nyquist_fraction,
            phase=frc.crossing(curves.phase, threshold).nyquist_fraction,
            value=frc.crossing(curves.field, threshold).nyquist_fraction,
        )
        for name, threshold in THRESHOLDS.items()
    }


def _notes(curves: Curves, covered: Mask) -> tuple[str, ...]:
    without_crossing: dict[str, list[str]] = {}
    for name, found in resolutions(curves).items():
        parts = {"amplitude": found.amplitude, "phase": found.phase, "field": found.value}
        beyond = ", ".join(part for part, crossing in parts.items() if crossing is None)
        without_crossing.setdefault(beyond, []).append(name)
    notes = [
        f"standard {', '.join(names)} of {parts}: no crossing, agreement up to Nyquist"
        for parts, names in without_crossing.items()
        if parts
    ]
    holes = 1 - float(covered.mean())
    scales = len(measures.wang_scales(covered))
    if scales < len(measures.WANG_WEIGHTS):
        why = "no larger piece is covered" if holes else "a small image"
        of_how_many = f"{scales} of {len(measures.WANG_WEIGHTS)}"
        notes.append(f"standard ms_ssim has {of_how_many} scales: {why}")
    if holes >= WORTH_A_NOTE:
        notes.append(f"{holes:.1%} of the region is not covered and not measured")
    return tuple(notes)
