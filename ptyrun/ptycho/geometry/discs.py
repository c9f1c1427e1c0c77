"""How much do discs at the positions of a scan overlap: with the nearest, in groups, by group?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

# Nearer than this, two positions are one.
SAME_PLACE_PX = 1e-10

# Rows of the matrix of distances between groups that are held at once.
GROUPS_AT_ONCE = 256

Positions = NDArray[np.float64]


def disc_overlap(distance_px: NDArray[np.floating[Any]], diameter_px: float) -> Positions:
    r"""Area that two equal discs share, as a fraction of one.

    Parameters
    ----------
    distance_px : ndarray of float, any shape
        Distance of the centres in pixels.
    diameter_px : float
        Diameter of both in pixels.

    Returns
    -------
    ndarray of float64, same shape
        In [0, 1]: 1 for one place, 0 from one diameter on.

    Notes
    -----
    :math:`f(d) = [2 R^2 \cos^{-1}(d / 2R) - (d / 2) \sqrt{4 R^2 - d^2}] / (\pi R^2)`.
    Source: E. W. Weisstein, "Circle-Circle Intersection", MathWorld, equation 14.

    Examples
    --------
    >>> disc_overlap(np.array([0.0, 10.0, 20.0]), 20.0).round(3)
    array([1.   , 0.391, 0.   ])
    """
    distance = np.asarray(distance_px, np.float64)
    share = np.clip(distance / diameter_px, 0.0, 1.0)
    fraction = 2 / np.pi * (np.arccos(share) - share * np.sqrt(1 - share**2))
    fraction = np.where(distance < SAME_PLACE_PX, 1.0, fraction)
    return np.asarray(np.where(distance >= diameter_px, 0.0, np.clip(fraction, 0.0, 1.0)))


def within_groups(members_px: Positions, neighbor_count: int, diameter_px: float) -> float:
    """Metric 1: overlap of each member with its nearest others of the same group.

    Parameters
    ----------
    members_px : ndarray of float64, shape (G, C, 2)
        Positions of the members, in pixels.
    neighbor_count : int
        How many others count.
    diameter_px : float
        Of the disc that stands for the probe, in pixels.

    Returns
    -------
    float
        Mean over all members, 0 to 1.
    """
    n_others = members_px.shape[1] - 1
    apart = np.linalg.norm(members_px[:, :, None] - members_px[:, None], axis=-1)
    others = ~np.eye(n_others + 1, dtype=bool)
    distances = np.sort(apart[:, others].reshape(-1, n_others), axis=1)
    return float(disc_overlap(distances[:, :neighbor_count], diameter_px).mean())


def between_images(unique_px: Positions, neighbor_count: int, diameter_px: float) -> float:
    """Metric 2: overlap of distinct positions with their nearest others.

    Parameters
    ----------
    unique_px : ndarray of float64, shape (n, 2)
        Positions, each once, in pixels.
    neighbor_count : int
        How many others count.
    diameter_px : float
        Of the disc that stands for the probe, in pixels.

    Returns
    -------
    float
        Mean over the positions, 0 to 1.
    """
    if len(unique_px) < 2:
        return 0.0
    count = min(neighbor_count, len(unique_px) - 1)
    distances, _ = KDTree(unique_px).query(unique_px, k=count + 1)
    return float(disc_overlap(distances[:, 1:], diameter_px).mean())


def between_groups(centres_px: Positions, diameter_px: float) -> float:
    """Metric 3: overlap of groups with those whose centres are nearer than a diameter.

    Parameters
    ----------
    centres_px : ndarray of float64, shape (G, 2)
        Mean position of each group, in pixels.
    diameter_px : float
        Of the disc that stands for the probe, in pixels.

    Returns
    -------
    float
        Mean over the groups, 0 to 1.
    """
    tree = KDTree(centres_px)
    n_groups = len(centres_px)
    sums, counts = np.zeros(n_groups), np.zeros(n_groups)
    for first in range(0, n_groups, GROUPS_AT_ONCE):
        part = KDTree(centres_px[first : first + GROUPS_AT_ONCE])
        pairs = part.sparse_distance_matrix(tree, diameter_px, output_type="ndarray")
        own = pairs["i"] + first
        near = (own != pairs["j"]) & (pairs["v"] < diameter_px)
        own, overlap = own[near], disc_overlap(pairs["v"][near], diameter_px)
        sums += np.bincount(own, overlap, n_groups)
        counts += np.bincount(own, minlength=n_groups)
    return float((sums / np.maximum(counts, 1)).mean())
