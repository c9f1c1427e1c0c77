"""May what a reader of another package gives be used?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from typing import Any, Self

import numpy as np

from ptyrun.errors import InputError, PtyrunError
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.reader import ForeignFile, Held, Reader, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan


class ReaderFaultError(InputError):
    """A reader of another package breaks its contract, or cannot be imported."""


class PluggedIn:
    """A reader of another package, whose faults are named as its own."""

    def __init__(self, name: str, reader: Reader) -> None:
        self._name, self._reader = name, reader
        with self._faults():
            self.card: ReaderCard = reader.card
            if not isinstance(self.card, ReaderCard):
                raise TypeError(f"its card is {type(self.card).__name__}, not a ReaderCard")

    @classmethod
    def loaded(cls, point: EntryPoint) -> Self:
        """Import a reader.

        Raises
        ------
        ReaderFaultError
            If it cannot be imported or is none.
        """
        try:
            return cls(point.name, point.load()())
        except PtyrunError:
            raise
        except Exception as error:
            raise _fault(point.name, error) from error

    def holds(self, file: ForeignFile) -> Held:
        """Ask the reader."""
        with self._faults():
            found = self._reader.holds(file)
            if not isinstance(found, Held):
                raise TypeError(f"holds gives {type(found).__name__}, not Held")
            return found

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Ask the reader, and see that its answer is a scan."""
        with self._faults():
            found = self._reader.scan(file, request)
            if fault := fault_of_scan(found):
                raise TypeError(fault)
            return found

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Ask the reader, and see that its answer is a reconstruction."""
        with self._faults():
            found = self._reader.reconstruction(file)
            if fault := fault_of_reconstruction(found):
                raise TypeError(fault)
            return found

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except PtyrunError:
            raise
        except Exception as error:  # foreign code raises whatever it likes
            raise _fault(self._name, error) from error


def fault_of_scan(found: object) -> str:
    """Say what is wrong with a scan that a reader gave; empty if nothing is."""
    if not isinstance(found, Scan):
        return f"scan gives {type(found).__name__}, not Scan"
    positions_px, side = found.positions_px, found.patch_px
    if not _is(positions_px, np.float64, (found.n_frames, 2)) or found.n_frames == 0:
        return "positions_px is not (n, 2) float64 and finite"
    first = found.amplitudes(np.array([0]))
    if not _is(first, np.float32, (1, side, side), finite=False):
        return f"a frame is {first.dtype} of shape {first.shape[1:]}, not real of {(side, side)}"
    if found.probe is not None and not _is(found.probe, np.complex64, (side, side)):
        return f"probe is not {(side, side)} complex64 and finite"
    guess = found.object_guess
    if guess is not None and not (guess.ndim == 2 and _is(guess, np.complex64, guess.shape)):
        return "object_guess is not (H, W) complex64 and finite"
    return ""


def fault_of_reconstruction(found: object) -> str:
    """Say what is wrong with a reconstruction that a reader gave; empty if nothing is."""
    if not isinstance(found, Reconstruction):
        return f"reconstruction gives {type(found).__name__}, not Reconstruction"
    images: dict[str, Any] = {"object": found.object}
    if found.probe is not None:
        images["probe"] = found.probe
    for name, image in images.items():
        if np.ndim(image) != 2 or not _is(image, np.complex64, np.shape(image)):
            return f"{name} is not a complex64 image with finite values"
    return ""


def _is(values: Any, dtype: type, shape: tuple[int, ...], *, finite: bool = True) -> bool:
    return (
        isinstance(values, np.ndarray)
        and values.dtype == dtype
        and values.shape == shape
        and (not finite or bool(np.isfinite(values).all()))
    )


def _fault(name: str, error: Exception) -> ReaderFaultError:
    return ReaderFaultError(
        f"the reader {name!r} cannot be used",
        why=f"{type(error).__name__}: {error}",
        do="correct or uninstall the package that offers it",
    )
