"""What is a reader? It knows one way of laying scans or reconstructions out in files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from functools import cached_property
from pathlib import Path
from typing import Protocol

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format, format_of
from ptyrun.ptycho.readers.hdf5 import Hdf5File
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.scan import Scan


class Held(Flag):
    """What a reader finds in a file."""

    NOTHING = 0
    SCAN = auto()
    RECONSTRUCTION = auto()


@dataclass(frozen=True)
class ReaderCard:
    """What a reader says of itself; the table of formats is made of these.

    Attributes
    ----------
    name : str
        Lower case, named in runs.
    layout : str
        What the files are called.
    reads : str
        Which arrays make the scan, which the reconstruction.
    units : str
        Of positions and sizes as stored.
    written_by : str
        Programs that write such files.
    limits : str
        What is not read.
    """

    name: str
    layout: str
    reads: str
    units: str
    written_by: str
    limits: str


@dataclass(frozen=True)
class ScanRequest:
    """How a scan is to be read.

    Attributes
    ----------
    diffraction_kind : {"amplitude", "intensity"}, optional
        What the frames are, where the file does not tell.
    cache_dir : Path, optional
        Where compressed frames are unpacked once; without it they are held in memory.
    """

    diffraction_kind: str | None = None
    cache_dir: Path | None = None

    @property
    def intensity(self) -> bool:
        """Whether frames of an HDF5 file are intensity: they are unless it is said."""
        return self.diffraction_kind != "amplitude"


@dataclass(frozen=True)
class ForeignFile:
    """A file whose content nobody has vouched for, opened as the container that it is.

    Attributes
    ----------
    path : Path
    wanted : str
        What for; errors say it.
    cache_dir : Path, optional
        Where compressed arrays are unpacked once.
    links_below : Path, optional
        Where links of an HDF5 file may lead.
    """

    path: Path
    wanted: str
    cache_dir: Path | None = None
    links_below: Path | None = None

    @cached_property
    def format(self) -> Format:
        """Which container it is, by its first bytes.

        Raises
        ------
        InputError
            If it cannot be opened, or is of no known kind and no package reads others.
        """
        return format_of(self.path, self.wanted)

    @cached_property
    def npz(self) -> NpzFile:
        """The file as an NPZ archive, never unpickled.

        Raises
        ------
        InputError
            If it is damaged.
        """
        return NpzFile(self.path, self.cache_dir)

    @cached_property
    def hdf5(self) -> Hdf5File:
        """The file as HDF5, after a child process looked through it.

        Raises
        ------
        InputError
            If it is damaged, or would harm the process that opens it.
        """
        return Hdf5File(self.path, self.links_below)


class ScanReader:
    """Base of readers whose layout holds scans alone."""

    card: ReaderCard

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Refuse it: `holds` never says that there is one."""
        raise _never_held(self.card, file, "reconstruction")


class ReconstructionReader:
    """Base of readers whose layout holds reconstructions alone."""

    card: ReaderCard

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Refuse it: `holds` never says that there is one."""
        raise _never_held(self.card, file, "scan")


def _never_held(card: ReaderCard, file: ForeignFile, wanted: str) -> InputError:
    return InputError(
        f"{file.path} holds no {wanted}",
        why=f"files of this layout have none: {card.layout}",
        do=f"give a file that holds a {wanted}",
    )


class Reader(Protocol):
    """One way of laying scans or reconstructions out in files.

    A reader unpickles nothing, runs nothing that a file holds, and follows nothing out of it. What
    it meets that it cannot read ends in `InputError`.
    """

    card: ReaderCard

    def holds(self, file: ForeignFile) -> Held:
        """Tell from names and shapes what of this layout is in a file, without reading frames.

        Parameters
        ----------
        file : ForeignFile
            Opened as its container.

        Returns
        -------
        Held
            What of this layout it holds; NOTHING for a file of another layout.
        """
        ...

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the scan without reading all frames; asked only where `holds` says SCAN.

        Parameters
        ----------
        file : ForeignFile
            Opened as its container.
        request : ScanRequest
            What the user says of the frames, and where to unpack.

        Returns
        -------
        Scan
            Positions in object pixels, frames with the zero frequency in the middle.

        Raises
        ------
        InputError
            If something is missing or wrong.
        """
        ...

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object; asked only where `holds` says RECONSTRUCTION.

        Parameters
        ----------
        file : ForeignFile
            Opened as its container.

        Returns
        -------
        Reconstruction
            The object (H, W) complex64, and what is known of it.

        Raises
        ------
        InputError
            If something is missing or wrong.
        """
        ...
