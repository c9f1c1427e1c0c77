"""How bright should a network see the diffraction?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.ptycho.readers.scan import Scan


def normalisation_factor(
    energies: NDArray[np.float64], frames: NDArray[np.integer[Any]], patch_px: int
) -> float:
    r"""Find the factor that brings the mean energy of a frame to :math:`(N/2)^2`.

    Parameters
    ----------
    energies : ndarray of float64, shape (n,)
        Sum of the squared amplitude of every frame of the scan.
    frames : ndarray of int, shape (G, C)
        The groups of the whole selection; a frame counts as often as it occurs.
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
    chosen = np.empty(frames.shape)
    np.take(energies, frames, out=chosen, mode="clip")  # with another mode, NumPy takes a copy
    return float(np.sqrt((patch_px / 2) ** 2 / chosen.mean()))


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
