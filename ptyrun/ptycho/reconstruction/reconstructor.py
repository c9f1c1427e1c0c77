"""How is an iterative algorithm asked for an object, whichever package it is in?

One is found by name: ptyrun's own ePIE, or an entry point of the group ``ptyrun.reconstructors``,
which is imported when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import PtyrunError, UsageError, nearest
from ptyrun.host.packages import entry_points, is_installed
from ptyrun.ptycho.reconstruction.frames import Frames

ENTRY_POINTS = "ptyrun.reconstructors"
EPIE = EntryPoint("epie", "ptyrun.ptycho.reconstruction.epie:Epie", ENTRY_POINTS)
# Of ptyrun's own, the packages that each computes with.
NEEDED = {"ptyrun.backends.ptychi_lsqml:PtyChi": ("torch", "ptychi")}

State = Mapping[str, NDArray[Any]]


class ReconstructionError(PtyrunError):
    """An algorithm did not give what it should; the reason says why."""


@dataclass(frozen=True)
class ReconstructionRequest:
    """What is asked of an algorithm.

    Attributes
    ----------
    amplitudes : Frames of float32, shape (n, N, N)
        All frames, zero frequency at pixel N/2; in the unit of the probe, as `FarField` has it:
        ``|F(P O)|`` with the orthonormal transform. Asked for by their numbers,
        ``amplitudes[numbers]``, they are read from the file then.
    positions_px : ndarray of float64, shape (n, 2)
        Patch centres as (y, x) in object pixels: pixel N/2 of a patch lies there.
    probe : ndarray of complex64, shape (N, N)
    object_shape : (int, int)
        (H, W) of the object that is asked for; its pixel (r, c) is position (r, c).
    epochs : int
        Passes over all frames.
    seed : int
        Of whatever is drawn.
    update_probe : bool
        Whether the probe is improved as well.
    batch_frames : int
        Frames that are updated at once; an algorithm that takes them one by one ignores it.
    """

    amplitudes: Frames
    positions_px: NDArray[np.float64]
    probe: NDArray[np.complex64]
    object_shape: tuple[int, int]
    epochs: int
    seed: int = 0
    update_probe: bool = False
    batch_frames: int = 32


@dataclass(frozen=True)
class Found:
    """What an algorithm found.

    ``object`` (H, W) complex64, ``probe`` (N, N) complex64, ``loss`` (epochs,) float64, one number
    per epoch that falls as the frames are matched.
    """

    object: NDArray[np.complex64]
    probe: NDArray[np.complex64]
    loss: NDArray[np.float64]


class Reconstructor(Protocol):
    """An iterative algorithm, cut into steps between which it can be put down and taken up.

    ``algorithm`` is what tables and files call it.
    """

    algorithm: str

    @classmethod
    def open(cls, request: ReconstructionRequest, state: State | None = None) -> Self:
        """Begin, or go on from what `state` gave.

        Parameters
        ----------
        request : ReconstructionRequest
            Frames, positions, probe and settings.
        state : mapping of str to ndarray, optional
            What `state` gave earlier, for an equal request.

        Returns
        -------
        Reconstructor
            Ready to go on.

        Raises
        ------
        ReconstructionError
            If the state is not one of this request.
        """
        ...

    @property
    def epochs_done(self) -> int:
        """Passes over all frames so far; done when these are as many as were asked for."""
        ...

    def advance(self) -> None:
        """Go one step on, of a second or so at most where the algorithm can be cut so fine."""
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """Give all that a later process needs to go on, as plain arrays.

        Returns
        -------
        dict of str to ndarray
            Arrays of numbers, of any shape.
        """
        ...

    def found(self) -> Found:
        """Give the object as it is now.

        Returns
        -------
        Found
            Object, probe and loss so far.
        """
        ...

    def close(self) -> None:
        """Let go of memory and devices."""
        ...


def find(name: str) -> EntryPoint:
    """Find the reconstructor called *name*, without importing it.

    Raises
    ------
    UsageError
        If there is none.
    """
    points = {EPIE.name: EPIE, **{p.name: p for p in entry_points(ENTRY_POINTS)}}
    if name not in points:
        raise UsageError(
            f"no reconstructor is called {name!r}{nearest(name, points)}",
            why=f"installed: {', '.join(sorted(points))}",
            do="correct the name, or install the package that offers it",
        )
    return points[name]


def require_installed(name: str) -> None:
    """See that a reconstructor and what it computes with are installed, as far as that is known.

    Parameters
    ----------
    name : str
        Of the entry point, or ``epie``; nothing is imported.

    Raises
    ------
    UsageError
        If there is none of that name, or ptyrun's own lacks its package.
    """
    point = find(name)
    needed = NEEDED.get(point.value, ())
    lacking = [module for module in needed if not is_installed(module)]
    if lacking:
        raise _cannot_be_imported(name, f"there is no module {lacking[0]}")


def load(name: str) -> type[Reconstructor]:
    """Import the reconstructor called *name*.

    Parameters
    ----------
    name : str
        Of the entry point, or ``epie``.

    Returns
    -------
    type of Reconstructor
        The class that it names.

    Raises
    ------
    UsageError
        If there is none, or a package that it needs is missing.
    """
    point = find(name)
    try:
        kind: type[Reconstructor] = point.load()
    except ImportError as error:
        raise _cannot_be_imported(name, str(error)) from error
    return kind


def _cannot_be_imported(name: str, why: str) -> UsageError:
    return UsageError(
        f"the reconstructor {name!r} cannot be imported",
        why=why,
        do="install what is missing, or choose another algorithm, like epie",
    )


def require_whole(found: Found, object_shape: tuple[int, int]) -> None:
    """See that what was found has the shape that was asked for, and numbers in it.

    Raises
    ------
    ReconstructionError
        If not.
    """
    if found.object.shape != object_shape or found.object.dtype != np.complex64:
        raise ReconstructionError(
            "the reconstruction has another form than was asked for",
            why=f"it is {found.object.dtype} of shape {found.object.shape}, not complex64 of "
            f"shape {object_shape}",
            do="correct the reconstructor",
        )
    for what, values in (("object", found.object), ("probe", found.probe), ("loss", found.loss)):
        if not np.isfinite(values).all():
            raise ReconstructionError(
                "the reconstruction diverged",
                why=f"its {what} has values that are not finite",
                do="check diffraction and probe, or choose another algorithm",
            )
