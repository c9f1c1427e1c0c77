"""Which reader reads a file? Told by what is in the file, not by its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import EntryPoint

from ptyrun.errors import InputError
from ptyrun.host.packages import entry_points
from ptyrun.ptycho.readers.formats import ENTRY_POINTS, Format
from ptyrun.ptycho.readers.plugged_in import PluggedIn, ReaderFaultError
from ptyrun.ptycho.readers.reader import ForeignFile, Held, Reader, ReaderCard
from ptyrun.texts import enumerated

_LAYOUTS = "ptyrun.ptycho.readers.layouts"
# Asked in this order: what is told by more comes first.
OWN = tuple(
    EntryPoint(name, f"{_LAYOUTS}.{home}", ENTRY_POINTS)
    for name, home in (
        ("contract", "contract:Contract"),
        ("reconstruction", "finished_npz:FinishedNpz"),
        ("product-npz", "product_npz:ProductNpz"),
        ("tike", "tike:Tike"),
        ("ptychonn", "ptychonn:PtychoNN"),
        ("npy", "npy:Npy"),
        ("matlab", "matlab:Matlab"),
        ("ptypy", "ptypy:Ptypy"),
        ("ptyrad", "ptyrad:Ptyrad"),
        ("ptylab", "ptylab:PtyLab"),
        ("cdtools", "cdtools:Cdtools"),
        ("emd", "emd:Emd"),
        ("bundle", "bundle:Bundle"),
        ("cxi", "cxi:Cxi"),
        ("product", "product:Product"),
    )
)

_EXAMPLES = {
    "scan": "an NPZ with diffraction, xcoords and ycoords, or CXI",
    "reconstruction": "an NPZ with reconstructed_object, a ptychodus product, or CXI with image_1",
}
CANONICAL = {"contract", "reconstruction"}


def own_readers() -> Iterator[Reader]:
    """Give the readers that come with ptyrun, in the order in which they are asked."""
    return map(_made, OWN)


def said_by(reader: Reader, notes: tuple[str, ...]) -> tuple[str, ...]:
    """Add to *notes* who read the file, unless it is of the layout that ptyrun itself writes."""
    card = reader.card
    return notes if card.name in CANONICAL else (*notes, f"read as {card.layout} ({card.name})")


def held_in(file: ForeignFile) -> Held:
    """Tell what readers find in a file, all together.

    Raises
    ------
    InputError
        If it cannot be opened.
    """
    found = Held.NOTHING
    for point in (*OWN, *_plugged_in()):
        with suppress(ReaderFaultError):
            found |= _made(point).holds(file)
    return found


def card_of(name: str) -> ReaderCard | None:
    """Give the card of the reader called *name*; None where it is gone."""
    for point in (*OWN, *_plugged_in()):
        with suppress(ReaderFaultError):
            if (card := _made(point).card).name == name:
                return card
    return None


def reader_of(file: ForeignFile, wanted: Held) -> Reader:
    """Find the reader of a scan or a reconstruction.

    ptyrun's own are asked first: a package that is installed changes nothing of what ptyrun reads.

    Raises
    ------
    InputError
        If no reader finds such a thing in the file.
    """
    other: list[str] = []
    broken: list[str] = []
    for point in (*OWN, *_plugged_in()):
        try:
            reader = _made(point)
        except ReaderFaultError as error:
            broken.append(error.what)
            continue
        found = reader.holds(file)
        if wanted in found:
            return reader
        if found:
            other.append(reader.card.layout)
    raise _unread(file, other, broken)


def _plugged_in() -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(ENTRY_POINTS), key=lambda point: point.name))


@cache
def _made(point: EntryPoint) -> Reader:
    if point in OWN:
        reader: Reader = point.load()()
        return reader
    return PluggedIn.loaded(point)


def _unread(file: ForeignFile, other: list[str], broken: list[str]) -> InputError:
    layouts = ", ".join(reader.card.layout for reader in own_readers())
    why = f"it is {' and '.join(other)} without one" if other else f"it is none of: {layouts}"
    if not other and file.format is Format.NPZ:
        why = f"its arrays are {enumerated(file.npz.names)}; {why}"
    return InputError(
        f"{file.path} holds no {file.wanted}",
        why="; ".join([why, *broken]),
        do=f"give a file that holds a {file.wanted}, like {_EXAMPLES[file.wanted]}",
    )
