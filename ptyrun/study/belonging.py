"""Is a data file of the dose and the half whose place it takes? By its history and positions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.study.history import History

HALVES = ("train", "test")


def contradictions(
    file: NpzFile, *, dose: float | None = None, split: str = "", is_whole: bool = False
) -> Iterator[str]:
    """Say what a file's history and positions have against its place; nothing if it tells nothing.

    Parameters
    ----------
    file : NpzFile
    dose : float, optional
        Photons per frame that the place stands for.
    split : str
        Half that it stands for, ``train`` or ``test``.
    is_whole : bool
        Whether all frames of the half belong there, and not a view of them.

    Raises
    ------
    InputError
        If the file cannot be read.
    ValueError
        If its history is none.
    """
    history = History.of(file)
    told = history.n_photons
    if dose is not None and told is not None and not math.isclose(told, dose, rel_tol=1e-9):
        yield f"its history says {told:.15g} photons per frame, not {dose:.15g}"
    cut = history.cut
    if cut is None or split not in HALVES:
        return
    below = np.asarray(file.array(f"{cut.axis}coords")) < cut.point
    n_others = int((~below if split == "train" else below).sum())
    if n_others:
        yield (
            f"it was split at {cut.axis} = {cut.point:.6g}, and {n_others} of its {below.size} "
            f"frames are of the other half than {split}"
        )
    elif is_whole and cut.counts.get(split, below.size) != below.size:
        yield f"its history says {cut.counts[split]} frames, and it has {below.size}"
