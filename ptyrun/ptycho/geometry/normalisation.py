"""How bright should a network see the diffraction?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.geometry.group_table import GroupTable
from ptyrun.ptycho.readers.scan import Scan

# Energies added up together: bounds memory. How longer sums are cut hangs on the version of NumPy.
MEMBERS_AT_ONCE = 1 << 13


def normalisation_factor(energies: NDArray[np.float64], frames: GroupTable, patch_px: int) -> float:
    r"""Find the factor that brings the mean energy of a frame to :math:`(N/2)^2`.

    Parameters
    ----------
    energies : ndarray of float64, shape (n,)
        Sum of the squared amplitude of every frame of the scan.
    frames : GroupTable
        The groups (G, C) of the whole selection; a frame counts as often as it occurs.
    patch_px : int
        N.

    Returns
    -------
    float
        By which amplitudes are multiplied.

    Notes
    -----
    :math:`\sqrt{(N/2)^2 / \langle \sum |A|^2 \rangle}` over all groups and channels.
    """
    n_groups, members = frames.shape
    count = n_groups * members
    return float(np.sqrt((patch_px / 2) ** 2 / (_added_up(energies, frames, 0, count) / count)))


def _added_up(energies: NDArray[np.float64], frames: GroupTable, first: int, stop: int) -> float:
    """Add up the energies of members *first* to *stop*, counted through all groups.

    A long sum is cut as NumPy cuts short ones, so that not a bit depends on blocks.
    """
    count = stop - first
    if count > MEMBERS_AT_ONCE:
        middle = first + count // 2 - count // 2 % 8
        halves = ((first, middle), (middle, stop))
        return sum(_added_up(energies, frames, *half) for half in halves)
    members = frames.shape[1]
    row = first // members
    chosen = frames[row : -(-stop // members)].reshape(-1)[first - row * members :][:count]
    return float(energies[chosen].sum())


def normalised_groups(
    scan: Scan, frames: NDArray[np.integer[Any]], factor: float
) -> NDArray[np.float32]:
    """Read groups as networks take them: channel c is member c.

    Parameters
    ----------
    scan : Scan
        Where the frames come from.
    frames : ndarray of int, shape (B, C)
        The groups.
    factor : float
        From :func:`normalisation_factor`.

    Returns
    -------
    ndarray of float32, shape (B, N, N, C)
        Normalised amplitudes, DC centred.
    """
    n_groups, n_channels = frames.shape
    amplitudes = scan.amplitudes(frames.ravel())
    groups = np.empty((n_groups, scan.patch_px, scan.patch_px, n_channels), np.float32)
    # Frame by frame: half the time of transposing whole batches, which leave the CPU's caches.
    for member, amplitude in enumerate(amplitudes):
        group, channel = divmod(member, n_channels)
        np.multiply(amplitude, np.float32(factor), out=groups[group, ..., channel])
    return groups
