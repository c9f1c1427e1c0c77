"""What is in this HDF5 file? Run as a program of its own, whose death harms nobody.

`ptyrun.host.hdf5_look` starts it with the file open as a descriptor. It reads what a reader follows
before it comes to the data: links, headers, attributes, tables of chunks. It prints one JSON
string, empty where nothing is wrong, after one that says why it is not confined. It imports h5py,
and of ptyrun only what confines it: it may read that one file and Python's packages, and write
nothing.
"""

from __future__ import annotations

import codecs
import ctypes
import json
import math
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

CPU_S = 10
MEMORY_BYTES = 2 << 30
MAX_LINKS = 1_000_000
MAX_ATTRIBUTE_BYTES = 64 << 20
# Filters that are part of HDF5 itself or of h5py: deflate, shuffle, fletcher32, szip, nbit,
# scaleoffset, lzf.
PLAIN_FILTERS = {1, 2, 3, 4, 5, 6, 32000}
# What h5py says of a type or a text that Python has nothing for: no damage.
_NOT_FOR_PYTHON = (TypeError, ValueError, NotImplementedError)


def limit() -> None:
    """Take no more time and memory than the file deserves, and end with the parent."""
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    for limit, most in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (most if hard < 0 else min(most, hard), hard))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def confined(descriptor: int) -> str:
    """Import h5py, and from then on read that file and Python's packages alone; else say why."""
    source = spec_from_file_location("confinement", Path(__file__).with_name("confinement.py"))
    assert source is not None
    assert source.loader is not None
    confinement = sys.modules[source.name] = module_from_spec(source)
    source.loader.exec_module(confinement)
    fence = confinement.Fence
    before = confinement.confine(fence(reads=(descriptor,)))
    import h5py

    assert h5py
    for encoding in ("ascii", "latin-1", "utf-8"):  # else read from the disk when a text needs it
        codecs.lookup(encoding)
    # What h5py imports only when it meets a certain text or type lies there.
    own = {
        Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
    own.add(Path(h5py.__file__).parents[1])
    after = confinement.confine(fence(reads=(descriptor, *own), programs=False))
    return str(before.why_not or after.why_not)


def faults(path: str, n_bytes: int, memory_bytes: int | None) -> Iterator[str]:
    """Say what is wrong with a file.

    Parameters
    ----------
    n_bytes : int
        Its length.
    memory_bytes : int, optional
        For a file that is read as a whole: how much may come of it. Nothing in it may then lead
        to somewhere else.
    """
    import h5py
    from h5py import h5o

    with h5py.File(path, "r") as file:
        found, n_links, total = [file.id], 0, 0
        seen = {h5o.get_info(file["/"].id).addr}
        while found:
            here = found.pop()
            yield from _attributes(here)
            if isinstance(here, h5py.h5d.DatasetID):
                yield from _dataset(here, n_bytes)
                if memory_bytes is not None:
                    yield from _plain(here)
                    total += _logical_bytes(here)
            elif isinstance(here, h5py.h5g.GroupID | h5py.h5f.FileID):
                names: list[bytes] = []
                group = h5py.h5g.open(here, b"/") if here is file.id else here
                group.links.iterate(names.append)
                n_links += len(names)
                if n_links > MAX_LINKS:
                    yield f"it has more than {MAX_LINKS} links"
                for name in names:
                    kind = group.links.get_info(name).type
                    if kind == h5py.h5l.TYPE_HARD:
                        inner = h5o.open(group, name)
                        address = h5o.get_info(inner).addr
                        if address not in seen:
                            seen.add(address)
                            found.append(inner)
                    elif kind != h5py.h5l.TYPE_SOFT and memory_bytes is not None:
                        yield f"the link {_text(name)} leads to another file"
        if memory_bytes is not None and total > memory_bytes:
            yield f"its arrays take {total} bytes of memory, and there are {memory_bytes}"


def _attributes(here: Any) -> Iterator[str]:
    import h5py

    wrapped = h5py.AttributeManager(_WithId(here))
    for number in range(h5py.h5a.get_num_attrs(here)):
        attribute = h5py.h5a.open(here, index=number)
        if (n_bytes := _logical_bytes(attribute)) > MAX_ATTRIBUTE_BYTES:
            yield f"the attribute {_text(attribute.name)} has {n_bytes} bytes"
        else:
            with suppress(*_NOT_FOR_PYTHON):
                wrapped[attribute.name]


class _WithId:
    """What h5py's attributes want of their owner."""

    def __init__(self, identifier: Any) -> None:
        self.id = identifier


def _dataset(dataset: Any, n_bytes: int) -> Iterator[str]:
    import h5py

    name = _text(h5py.h5i.get_name(dataset))
    plist = dataset.get_create_plist()
    if plist.get_external_count():
        yield f"{name} has its raw data in another file"
    layout = plist.get_layout()
    if layout == h5py.h5d.CONTIGUOUS and dataset.get_offset() is not None:
        stored = dataset.get_storage_size()
        if dataset.get_offset() + stored > n_bytes or stored < _logical_bytes(dataset):
            yield f"{name} is cut off"
    if layout == h5py.h5d.CHUNKED and hasattr(dataset, "chunk_iter"):
        outside = []

        def look(chunk: Any) -> bool | None:
            if chunk.byte_offset + chunk.size > n_bytes:
                outside.append(chunk)
                return True
            return None

        dataset.chunk_iter(look)
        if outside:
            yield f"{name} is cut off"


def _plain(dataset: Any) -> Iterator[str]:
    import h5py

    plist = dataset.get_create_plist()
    name = _text(h5py.h5i.get_name(dataset))
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        yield f"{name} is a view of other arrays"
    for number in range(plist.get_nfilters()):
        code = plist.get_filter(number)[0]
        if code not in PLAIN_FILTERS:
            yield f"{name} is packed with filter {code}, which is not part of HDF5"


def _logical_bytes(values: Any) -> int:
    return math.prod(values.shape or ()) * int(values.get_type().get_size())


def _text(name: bytes | None) -> str:
    return repr((name or b"?").decode(errors="replace"))


def main() -> None:
    """Look through the file whose descriptor is told, and print what is wrong."""
    limit()
    descriptor, memory_bytes = (int(word) for word in sys.argv[1:])
    print(json.dumps(confined(descriptor)), flush=True)
    told = memory_bytes if memory_bytes >= 0 else None
    try:
        n_bytes = os.fstat(descriptor).st_size
        fault = next(faults(f"/dev/fd/{descriptor}", n_bytes, told), "")
    except MemoryError:
        fault = f"to look through it takes more than {MEMORY_BYTES >> 30} GiB of memory"
    except Exception as error:  # h5py raises whatever the damage provokes
        fault = f"HDF5 cannot read it: {str(error) or type(error).__name__}"
    print(json.dumps(fault[:500]), flush=True)
    os._exit(0)  # closing damaged files may crash, and says nothing more


if __name__ == "__main__":
    main()
