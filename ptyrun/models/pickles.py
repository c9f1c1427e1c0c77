"""What did `torch.save` put into a file: weights, or a whole network? Walked, and never run."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from ptyrun.models.archives import SafeArchive

_BOOKKEEPING = {"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"}
# Before PyTorch 1.6: magic number, protocol and sizes of types come before what was saved.
_BEFORE_CONTENT = 3
_OLD_NETWORK = [("MARK", None), ("BINUNICODE", "module")]
# It names tensors, whose numbers lie elsewhere; before archives, all in one.
_LARGEST_BYTES = 16 << 20


def class_of_whole_network(path: Path) -> str | None:
    """Give the class of the object that the file is; None where it is a dictionary.

    Parameters
    ----------
    path : Path
        What `torch.save` wrote.

    Returns
    -------
    str or None
        ``module.Class``, as the file names it.

    Raises
    ------
    ModelError
        If it is an archive that is not to be trusted.
    """
    try:
        steps = [*islice(_steps(_content(path)), len(_OLD_NETWORK) + 1)]
    except (ValueError, OSError, KeyError, IndexError):
        return None  # what is damaged is said by its reader
    if steps[:-1] == _OLD_NETWORK:
        del steps[:-1]
    kind, said = steps[0] if steps else ("", None)
    name = str(said).replace(" ", ".")
    return None if kind != "GLOBAL" or name == "collections.OrderedDict" else name


def _content(path: Path) -> BytesIO:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            content = BytesIO(file.read(_LARGEST_BYTES))
        for _ in range(_BEFORE_CONTENT):
            for _ in pickletools.genops(content):
                pass
        return content
    with SafeArchive(path, path.name) as archive:
        names = [name for name in archive.names() if name.endswith("/data.pkl")]
        return BytesIO(archive.read(names[0], _LARGEST_BYTES) if names else b"")


def _steps(content: BytesIO) -> Iterator[tuple[str, Any]]:
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name not in _BOOKKEEPING:
            yield opcode.name, argument
