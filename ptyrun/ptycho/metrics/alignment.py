"""What differs between two complex images besides the object? Ramp, shift and one factor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import binary_dilation

from ptyrun.config import PhaseAlign
from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.placement import SMALLEST_PX, Region
from ptyrun.ptycho.metrics.registration import NO_SHIFT, Shift, apply_shift, register

ROUNDS = 3
BORDER_PX = 2

# A larger shift is believed only if the fields then agree better still: of so many shifts, the best
# one brings unlike images, of which little is known, to 0.36.
SMALL_SHIFT_PX = 8.0
AGREEMENT_AFAR = 0.45
LARGEST_SHIFT = 0.25  # of the side

Complex2D = NDArray[np.complexfloating[Any, Any]]
Real2D = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ramp:
    """A linear phase, in radians per pixel along y and x."""

    y_rad_per_px: float = 0.0
    x_rad_per_px: float = 0.0

    def __add__(self, other: Ramp) -> Ramp:
        return Ramp(self.y_rad_per_px + other.y_rad_per_px, self.x_rad_per_px + other.x_rad_per_px)

    def removed_from(self, image: Complex2D) -> NDArray[np.complex128]:
        """Take the ramp off an image (H, W); the phase of its middle stays."""
        y, x = (np.arange(side) - side / 2 for side in image.shape)
        along_y, along_x = np.exp(-1j * self.y_rad_per_px * y), np.exp(-1j * self.x_rad_per_px * x)
        return np.asarray(image * along_y[:, None] * along_x[None, :], np.complex128)


@dataclass(frozen=True)
class Aligned:
    """Two images (h, w) on one grid, and what was done to the first.

    ``registered`` is False where a shift was asked for and no believable one was found.
    """

    recon: NDArray[np.complex128]
    truth: Complex2D
    covered: Mask
    shift: Shift = NO_SHIFT
    ramp: Ramp = Ramp()
    factor: complex = 1.0 + 0.0j
    registered: bool = True

    @property
    def border_px(self) -> tuple[int, int]:
        """Rows and columns that are gone at each side."""
        return _border(self.shift)


def align(
    recon: Complex2D,
    truth: Complex2D,
    covered: Mask | None = None,
    *,
    region: Region | None = None,
    shift: bool = True,
    phase: PhaseAlign = PhaseAlign.PLANE,
) -> Aligned:
    """Undo what a reconstruction leaves free, iterated: ramp, shift, crop, ramp; then the factor.

    Parameters
    ----------
    recon, truth : ndarray of complex, shape (H, W)
    covered : ndarray of bool, shape (H, W), optional
        Where *recon* is known; everywhere when None.
    region : Region, optional
        What is compared; everything when None. The images are moved as wholes, so that what lies
        around the region keeps its edges from ringing.
    shift : bool
        Whether to register. The shift is looked for in magnitudes and in the ramp-free fields, and
        the one kept after which the fields agree best: an object of phase alone has magnitudes
        that say little.
    phase : PhaseAlign
        PLANE undoes the phase ramp, MEAN the global phase alone.

    Returns
    -------
    Aligned
        Cropped by 2 px and by what the circular shift spoils.

    Raises
    ------
    GeometryError
        If the shapes differ, or nothing is left to compare.
    """
    mask = np.ones(recon.shape, bool) if covered is None else covered
    where = Region(0, 0, *truth.shape) if region is None else region
    known = int(mask[where.slices].sum())
    if recon.shape != truth.shape or min(where.height, where.width) < SMALLEST_PX or not known:
        raise GeometryError(
            "these images cannot be aligned",
            why=f"one is {recon.shape}, the other {truth.shape}, with {known} px covered in "
            f"{where.height} x {where.width}",
            do="compare a region of one grid that the reconstruction covers",
        )
    pair = _Pair.of(recon, truth, mask, where, ramps=phase is PhaseAlign.PLANE)
    state = pair.without_ramp(pair.moved(Ramp(), NO_SHIFT))
    for _ in range(ROUNDS if shift else 0):
        before, state = state.shift, pair.registered(state)
        if state.shift == before:
            break
    inside = state.covered
    if not inside.any():
        raise GeometryError(
            "nothing is left to compare",
            why=f"of {known} covered px none lies {BORDER_PX} px or more inside the region",
            do="compare more groups",
        )
    factor = global_factor(state.recon[inside], state.truth[inside])
    return replace(state, recon=state.recon * factor, factor=factor)


def refitted(
    recon: Complex2D, truth: Complex2D, covered: Mask, phase: PhaseAlign
) -> NDArray[np.complex128]:
    """Take off a registered image (H, W) the ramp and factor that its *covered* pixels have."""
    flat = np.asarray(recon, np.complex128)
    if phase is PhaseAlign.PLANE:
        flat = ramp_between(flat, truth, covered).removed_from(flat)
    return flat * global_factor(flat[covered], truth[covered])


@dataclass(frozen=True)
class _Pair:
    """The images (H, W) as they came, and the moves that may be made with the first."""

    recon: NDArray[np.complex128]
    truth: Complex2D
    mask: Mask
    region: Region
    ramps: bool

    @classmethod
    def of(
        cls, recon: Complex2D, truth: Complex2D, mask: Mask, region: Region, *, ramps: bool
    ) -> _Pair:
        inside = region.slices
        # Holes would be seen as structure by registration and by the Fourier shift.
        middling = recon[inside][mask[inside]].mean()
        filled = np.where(mask, recon, middling).astype(np.complex128)
        return cls(filled, truth, mask, region, ramps)

    def moved(self, ramp: Ramp, shift: Shift) -> Aligned:
        flat = ramp.removed_from(self.recon)
        shifted = flat if shift == NO_SHIFT else apply_shift(flat, shift)
        inside = self.region.within(*_border(shift)).slices
        return Aligned(
            recon=shifted[inside],
            truth=self.truth[inside],
            covered=_moved_mask(self.mask, shift)[inside],
            shift=shift,
            ramp=ramp,
        )

    def without_ramp(self, state: Aligned) -> Aligned:
        if not self.ramps:
            return state
        rest = ramp_between(state.recon, state.truth, state.covered)
        return self.moved(state.ramp + rest, state.shift)

    def registered(self, state: Aligned) -> Aligned:
        """Move by what magnitudes or fields say, if the fields agree better for it."""
        proposals = (
            register(np.abs(state.recon), np.abs(state.truth)),
            register(state.recon, state.truth),
        )
        shifts = {state.shift + proposal for proposal in proposals} - {state.shift}
        possible = sorted(shift for shift in shifts if _leaves_enough(shift, self.region))
        moved = [self.without_ramp(self.moved(state.ramp, shift)) for shift in possible]
        believable = [other for other in moved if _believable(other)]
        best = max([state, *believable], key=_agreement)
        lost = best is state and best.shift == NO_SHIFT and len(believable) < len(shifts)
        return replace(best, registered=state.registered and not lost)


def _agreement(state: Aligned) -> float:
    known = state.covered
    return coherence(state.recon[known], state.truth[known]) if known.any() else 0.0


def coherence(recon: Complex2D, truth: Complex2D) -> float:
    """Correlation of two fields without their means, in [0, 1]: 1 for one object, 0 for two.

    Blind to one global complex factor.
    """
    first, second = recon - recon.mean(), truth - truth.mean()
    power = float(np.sum(np.abs(first) ** 2) * np.sum(np.abs(second) ** 2))
    return float(np.abs(np.sum(first.conj() * second)) / np.sqrt(power)) if power > 0 else 0.0


def global_factor(recon: Complex2D, truth: Complex2D) -> complex:
    r"""Find the complex factor c that brings c R nearest to O: sum(R* O) / sum |R|^2."""
    power = float(np.sum(np.abs(recon) ** 2))
    return complex(np.sum(recon.conj() * truth) / power) if power > 0 else 1.0 + 0.0j


def amplitude_factor(recon: Real2D, truth: Real2D, covered: Mask | None = None) -> Any:
    """Find what brings the mean of amplitudes (H, W) to the truth's, over what is covered.

    The complex factor of :func:`global_factor` is smaller the worse phases are.
    """
    own, wanted = ((each if covered is None else each[covered]).mean() for each in (recon, truth))
    return wanted / own if own > 0 else 1.0


def ramp_between(recon: Complex2D, truth: Complex2D, covered: Mask | None = None) -> Ramp:
    """Find the phase ramp that *recon* has and *truth* has not.

    Its whole cycles are read from the peak of the spectrum of R O*; the rest is a least-squares
    plane through the phase that remains, weighted by |R O*|.
    """
    cross = recon * truth.conj()
    cross = cross if covered is None else np.where(covered, cross, 0)
    found = Ramp(*_peak(cross))
    for _ in range(2):
        found = found + Ramp(*_gradient(found.removed_from(cross)))
    return found


def _peak(cross: Complex2D) -> tuple[float, float]:
    """Frequency of the strongest component, in radians per pixel."""
    padded = tuple(2 * side for side in cross.shape)
    spectrum = np.abs(fft.fft2(cross, padded))
    strongest = np.unravel_index(int(np.argmax(spectrum)), padded)
    frequencies = (fft.fftfreq(side)[i] for side, i in zip(padded, strongest, strict=True))
    y, x = (float(2 * np.pi * frequency) for frequency in frequencies)
    return y, x


def _gradient(cross: NDArray[np.complex128]) -> tuple[float, float]:
    """Weighted least-squares plane through a phase that hardly wraps: its slopes."""
    total = cross.sum()
    if total == 0:
        return 0.0, 0.0
    phase = np.angle(cross * total.conj())
    weight = np.abs(cross)
    y, x = (np.arange(side) - side / 2 for side in cross.shape)
    basis = (np.ones(cross.shape), y[:, None] + 0 * x, x[None, :] + 0 * y[:, None])
    normal = np.array([[np.sum(weight * a * b) for b in basis] for a in basis])
    right = np.array([np.sum(weight * a * phase) for a in basis])
    _, slope_y, slope_x = np.linalg.lstsq(normal, right, rcond=None)[0]
    return float(slope_y), float(slope_x)


def _moved_mask(mask: Mask, shift: Shift) -> Mask:
    """Where a moved image is known: pixels whose neighbours before the move all were."""
    if mask.all():
        return mask
    holes = np.roll(~mask, (round(shift.dy_px), round(shift.dx_px)), axis=(0, 1))
    whole = shift.dy_px == round(shift.dy_px) and shift.dx_px == round(shift.dx_px)
    return ~holes if whole else ~binary_dilation(holes)


def _border(shift: Shift) -> tuple[int, int]:
    rows, columns = shift.border_px
    return rows + BORDER_PX, columns + BORDER_PX


def _leaves_enough(shift: Shift, region: Region) -> bool:
    moves = ((shift.dy_px, region.height), (shift.dx_px, region.width))
    return all(
        abs(move) <= LARGEST_SHIFT * side and side - 2 * (BORDER_PX + abs(move)) > SMALLEST_PX
        for move, side in moves
    )


def _believable(state: Aligned) -> bool:
    farthest = max(abs(state.shift.dy_px), abs(state.shift.dx_px))
    return farthest <= SMALL_SHIFT_PX or _agreement(state) >= AGREEMENT_AFAR
