"""How good is a reconstruction? Cropped, registered, trimmed, aligned and measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.config import EvaluationOptions
from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.placement import Region, centre_crop
from ptyrun.ptycho.metrics.aligned import Aligned
from ptyrun.ptycho.metrics.alignment import align
from ptyrun.ptycho.metrics.frc import Noise
from ptyrun.ptycho.metrics.orientation import turned_note
from ptyrun.ptycho.metrics.phase_pair import turn_to_middle, where_defined
from ptyrun.ptycho.metrics.ramps import NO_RAMP, Ramp, ramp_between
from ptyrun.ptycho.metrics.registration import Shift, apply_shift, cropped, register
from ptyrun.ptycho.metrics.standard_metrics import Curves, Standard, standard_metrics
from ptyrun.ptycho.metrics.tiles import Tiles
from ptyrun.ptycho.metrics.upstream_metrics import upstream_metrics
from ptyrun.results import Metric

TRIM_PX = 2
UPSTREAM_BORDER_PX = 2
CARRIER = 0.6  # of what an image has without its ramp, at least, the constant part

Complex2D = NDArray[np.complexfloating[Any, Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Evaluation:
    """Everything measured of one reconstruction against one truth.

    Attributes
    ----------
    metrics : mapping of str to Metric
        By upstream's names and definitions.
    standard : mapping of str to Metric
        By the literature's.
    shift : Shift, optional
        None where no registration was asked for.
    ramp : Ramp
        Taken off *recon*, before it was moved.
    amplitude_frc, phase_frc : ndarray of float64, shape (R,)
        Upstream's ring correlations, by ring.
    curves : Curves
        The literature's ring correlations, of amplitude, phase and field.
    recon, truth : ndarray of complex64, shape (h, w)
        The images without shift, ramp and factor.
    covered : ndarray of bool, shape (h, w)
        Where *recon* is known.
    region : Region
        Which pixels of the object these are.
    notes : tuple of str
        What must be said of the numbers.
    registration_notes : tuple of str
        Those of the notes that are about the shift.
    noise : Noise
        Which thresholds of ring correlations were used.
    undefined : mapping of str to str
        Why a standard number does not exist.
    tiles : Tiles, optional
        What standard numbers add up from.
    upstream_pair : tuple of ndarray of complex64, shape (H, W), optional
        Both as upstream keeps them, registered but neither trimmed nor flattened, where its
        alignment was asked for.
    """

    metrics: Mapping[str, Metric]
    standard: Mapping[str, Metric]
    shift: Shift | None
    ramp: Ramp
    amplitude_frc: NDArray[np.float64] = field(repr=False)
    phase_frc: NDArray[np.float64] = field(repr=False)
    curves: Curves = field(repr=False)
    recon: NDArray[np.complex64] = field(repr=False)
    truth: NDArray[np.complex64] = field(repr=False)
    covered: Mask = field(repr=False)
    region: Region
    notes: tuple[str, ...]
    registration_notes: tuple[str, ...]
    noise: Noise
    undefined: Mapping[str, str]
    tiles: Tiles | None = field(default=None, repr=False)
    upstream_pair: tuple[NDArray[np.complex64], NDArray[np.complex64]] | None = field(
        default=None, repr=False
    )

    @property
    def pair(self) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        """Reconstruction and truth as they are kept for older tools."""
        return self.upstream_pair or (self.recon, self.truth)

    @property
    def coherence(self) -> float:
        """How much the fields have in common: 1 for one object, 0 for two."""
        return self.standard.get("coherence", Metric()).value or 0.0


def evaluate(
    recon: Complex2D,
    truth: Complex2D,
    coverage: NDArray[np.float64],
    options: EvaluationOptions,
    *,
    region: Region | None = None,
    registered: bool = True,
    noise: Noise = Noise.FIRST,
) -> Evaluation:
    """Measure a reconstruction that lies on the object's grid.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
        On one pixel grid, up to what registration finds.
    coverage : ndarray of float, shape (H, W)
        Positive where *recon* is known. Nothing else is measured.
    options : EvaluationOptions
        Phase alignment and smoothing.
    region : Region, optional
        What to look at; everything when None.
    registered : bool
        Whether this arm is registered.
    noise : Noise
        BOTH where *truth* is a reference: one more noisy measurement.

    Returns
    -------
    Evaluation
        All metrics, curves and aligned images.

    Raises
    ------
    GeometryError
        If shapes differ, or nothing is covered.
    """
    whole = Region(0, 0, *truth.shape) if region is None else region
    aligned = align(
        recon,
        truth,
        coverage > 0,
        region=whole,
        shift=registered,
        phase=options.phase_align,
    )
    rows, columns = aligned.border_px
    images = _trimmed(aligned.recon, aligned.truth, aligned.covered)
    # Angles are cut at pi, wherever the truth's arbitrary phase puts that.
    turn = turn_to_middle(images[1], where_defined(images[1], images[2]))
    turned = turned_note(recon, truth, coverage > 0, whole, aligned) if registered else None
    found = _evaluation(
        images,
        images,
        aligned,
        aligned.shift if registered and aligned.registered else None,
        whole.within(rows + TRIM_PX, columns + TRIM_PX),
        options,
        noise,
        turn,
    )
    if turned is None:
        return found
    said = (*found.registration_notes, turned)
    return replace(found, notes=(turned, *found.notes), registration_notes=said)


def with_offsets(metrics: Mapping[str, Metric], shift: Shift | None) -> dict[str, Metric]:
    """Add what registration found, in pixels, to the metrics.

    Parameters
    ----------
    metrics : mapping of str to Metric
        By name.
    shift : Shift, optional
        What registration found, in pixels.

    Returns
    -------
    dict of str to Metric
        With ``registration_offset_dy`` and ``registration_offset_dx`` where there is a shift.
    """
    if shift is None:
        return dict(metrics)
    return {
        **metrics,
        "registration_offset_dy": Metric(value=shift.dy_px),
        "registration_offset_dx": Metric(value=shift.dx_px),
    }


def evaluate_upstream(
    canvas: Complex2D,
    truth: Complex2D,
    region: Region,
    options: EvaluationOptions,
    *,
    registered: bool = True,
    noise: Noise = Noise.FIRST,
) -> Evaluation:
    """Measure a canvas as upstream does: blind centre crops, registration by magnitudes.

    Parameters
    ----------
    canvas : ndarray of complex, shape (h, w)
        From `ptyrun.ptycho.geometry.stitching.reassemble_upstream`, or a finished
        reconstruction.
    truth : ndarray of complex, shape (H, W)
        The whole ground truth.
    region : Region
        From :func:`ptyrun.ptycho.geometry.placement.scanned_region`.
    options : EvaluationOptions
        Phase alignment and smoothing.
    registered : bool
        Whether this arm is registered.
    noise : Noise
        BOTH where *truth* is a reference.

    Returns
    -------
    Evaluation
        All metrics, curves and aligned images.
    """
    left = region.centre(min(canvas.shape[0], region.height), min(canvas.shape[1], region.width))
    image: Complex2D = centre_crop(canvas, left.height, left.width)
    target: Complex2D = truth[left.slices]
    shift = None
    if registered:
        shift = register(np.abs(image), np.abs(target))
        image = cropped(apply_shift(image, shift), UPSTREAM_BORDER_PX)
        left = left.within(UPSTREAM_BORDER_PX, UPSTREAM_BORDER_PX)
        target = truth[left.slices]
    # What align crops is what upstream trims: both pairs are of the same pixels.
    aligned = align(image, target, shift=False, phase=options.phase_align)
    found = _evaluation(
        _trimmed(image, target, np.ones(image.shape, bool)),
        (aligned.recon, aligned.truth, aligned.covered),
        aligned,
        shift,
        left.within(*aligned.border_px),
        options,
        noise,
    )
    return replace(found, upstream_pair=(image.astype(np.complex64), target.astype(np.complex64)))


@dataclass(frozen=True)
class Mutual:
    """What two reconstructions have in common, and what had to be done to the first for it.

    Attributes
    ----------
    standard : Standard
        The literature's measures.
    shift : Shift, optional
        By which the first was moved; None where it was not registered.
    ramp : Ramp
        Taken off the first, before it was moved.
    """

    standard: Standard
    shift: Shift | None
    ramp: Ramp


def mutual(
    first: Complex2D,
    second: Complex2D,
    covered: Mask,
    *,
    region: Region | None = None,
    registered: bool = True,
) -> Mutual:
    """Compare two reconstructions where no truth is known, or two halves of the data.

    Nothing says which ramp is none: the second's own, if it is told, is taken off both, else it
    would be contrast that they have in common.

    Parameters
    ----------
    first, second : ndarray of complex, shape (H, W)
    covered : ndarray of bool, shape (H, W)
        Where both are known.
    region : Region, optional
        What to look at; everything when None.
    registered : bool
        Whether to shift the first onto the second before.

    Returns
    -------
    Mutual
        How near they are to each other; of which one is wrong it says nothing.
    """
    aligned = align(first, second, covered, region=region, shift=registered)
    own = _own_ramp(aligned.truth, aligned.covered)
    one, other = (own.removed_from(image) for image in (aligned.recon, aligned.truth))
    found = standard_metrics(one, other, aligned.covered, Noise.BOTH)
    said = _registration_notes(aligned) if registered else ()
    shift = aligned.shift if registered and aligned.registered else None
    return Mutual(replace(found, notes=(*said, *found.notes)), shift, aligned.ramp)


def _own_ramp(image: Complex2D, covered: Mask) -> Ramp:
    """The ramp without which an image is mostly one constant; none where it is not.

    Of a thick grating, the strongest frequency is a period and no ramp.
    """
    ramp = ramp_between(image, np.ones_like(image), covered)
    flat = ramp.removed_from(image)[covered]
    return ramp if np.abs(flat.mean()) >= CARRIER * np.abs(flat).mean() else NO_RAMP


Images = tuple[Complex2D, Complex2D, Mask]


def _trimmed(recon: Complex2D, truth: Complex2D, covered: Mask) -> Images:
    within = cropped(covered, TRIM_PX)
    if not within.any():
        raise GeometryError(
            "nothing is left to compare",
            why=f"of {covered.shape[0]} x {covered.shape[1]} px, none that is known lies {TRIM_PX} "
            "px or more from the edge",
            do="compare a larger part of the object",
        )
    return cropped(recon, TRIM_PX), cropped(truth, TRIM_PX), within


def _registration_notes(aligned: Aligned) -> tuple[str, ...]:
    if aligned.is_featureless:
        return ("not registered: nothing to register on, the arm is nearly constant",)
    if not aligned.registered:
        return ("not registered: no plausible shift was found",)
    if not aligned.others:
        return ()
    others = ", ".join(f"({each.dy_px:.1f}, {each.dx_px:.1f})" for each in aligned.others[:3])
    taken = f"({aligned.shift.dy_px:.1f}, {aligned.shift.dx_px:.1f})"
    return (
        f"the shift is ambiguous: moved by (dy, dx) = {others} px the arm fits as well as by "
        f"{taken} px, as a periodic object does; the nearest is taken",
    )


def _evaluation(
    measured: Images,
    shown: Images,
    aligned: Aligned,
    shift: Shift | None,
    region: Region,
    options: EvaluationOptions,
    noise: Noise,
    turn: complex | None = None,
) -> Evaluation:
    recon, truth, covered = measured
    standard = standard_metrics(*shown, noise, tiled=True)
    upstream = upstream_metrics(
        recon,
        truth,
        phase_align=options.phase_align,
        frc_sigma=options.frc_sigma,
        ms_ssim_sigma=options.ms_ssim_sigma,
        covered=covered,
        turn=turn,
    )
    lost = _registration_notes(aligned)
    return Evaluation(
        metrics={name: Metric(*pair) for name, pair in upstream.values.items()},
        standard=standard.metrics,
        shift=shift,
        ramp=aligned.ramp,
        amplitude_frc=upstream.amplitude_frc,
        phase_frc=upstream.phase_frc,
        curves=standard.curves,
        recon=shown[0].astype(np.complex64),
        truth=shown[1].astype(np.complex64),
        covered=shown[2],
        region=region,
        notes=(*lost, *standard.notes),
        registration_notes=lost,
        noise=standard.noise,
        undefined=standard.undefined,
        tiles=standard.tiles,
    )
