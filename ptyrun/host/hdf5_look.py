"""Can an HDF5 file be opened in this process?

The HDF5 library reads damaged or hostile files with faults of its own: it hangs, crashes, or takes
all memory, and which of these faults are mended depends on the version that TensorFlow allows. So a
process of its own looks through each file first (`ptyrun.host.hdf5_child`), with 10 s of CPU time
and 2 GiB of memory, confined to reading that file where the kernel can; if it dies, the file is
refused. What was found good is remembered for this
user, outside of all runs, as long as the file stays untouched.
"""

from __future__ import annotations

import hashlib
import logging
import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ptyrun.host import confinement, hdf5_child
from ptyrun.host.remembered import Remembered, identity
from ptyrun.host.typed_json import parse

# Of the clock on the wall: for the disk, and for machines where many wait for the CPU.
PATIENCE_S = 900.0
# A file may change twice within one tick of its file system's clock.
SETTLED_S = 2.0
_CHILD = Path(hdf5_child.__file__)
# Several readers are asked, and each would spend the same seconds on the same file.
_refused: dict[str, str] = {}
_MOST_SAID_BYTES = 1 << 16  # it says two lines
_TAKES = "to look through it takes"
log = logging.getLogger(__name__)


def fault_of(source: Path | bytes, memory_bytes: int | None = None, digest: str = "") -> str:
    """Say why an HDF5 file must not be opened; empty if it may.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.
    memory_bytes : int, optional
        For a file that will be read as a whole, such as a model: how much memory its arrays may
        take. It must then lead nowhere else, and use HDF5's own filters only.
    digest : str
        Of its content, for a file that is only a copy: by it is known what was looked through.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with _opened(source) as handle:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return "it is not a regular file"
        whole = memory_bytes is not None
        good, fact = Remembered("hdf5-looked-through"), _fact(source, found, whole, digest)
        if good.holds(fact):
            return ""
        asked = f"{fact} {(memory_bytes or 0) >> 30}"  # much more memory is another question
        anyhow = fact.replace(f" {whole} ", " ", 1)
        if known := _refused.get(asked) or _refused.get(anyhow):
            return known
        fault = _looked_through(handle, memory_bytes)
        if digest or time.time() - found.st_ctime >= SETTLED_S:
            if fault:
                _refused[anyhow if fault.startswith(_TAKES) else asked] = fault
            else:
                good.add(fact)
        return fault


@contextmanager
def _opened(source: Path | bytes) -> Iterator[int]:
    if isinstance(source, Path):
        handle = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            yield handle
        finally:
            os.close(handle)
    else:
        with tempfile.NamedTemporaryFile() as file:  # HDF5 asks for a name
            file.write(source)
            file.flush()
            yield file.fileno()


def _looked_through(handle: int, memory_bytes: int | None) -> str:
    words = [sys.executable, "-P", str(_CHILD), str(handle), str(memory_bytes or -1)]
    child = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(handle,),
        # Each of NumPy's threads would take address space.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # a Ctrl-C is for us
    )
    try:
        said = _said_by(child)
    except subprocess.TimeoutExpired:
        return f"{_TAKES} more than {PATIENCE_S:g} s"
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    # Whoever is no longer heard may have ended by itself, before it was killed.
    if len(said) > _MOST_SAID_BYTES:
        return "what looks through it says more than it should"
    if child.returncode == -signal.SIGXCPU:
        return f"{_TAKES} more than {hdf5_child.CPU_S} s of CPU time"
    if child.returncode < 0:
        return f"it makes the HDF5 library crash ({_name_of(-child.returncode)})"
    try:
        why_free, fault = map(parse, said.splitlines())
    except ValueError:
        why_free = fault = None
    if not isinstance(why_free, str) or not isinstance(fault, str):
        return f"what looks through it failed (exit code {child.returncode})"
    _note(why_free)
    return fault


def _said_by(child: subprocess.Popen[bytes]) -> bytes:
    """Give what it printed, as far as it may be long; it has ended, or is killed."""
    ends_s = time.monotonic() + PATIENCE_S
    said = b""
    assert child.stdout is not None
    with child.stdout as stream:
        while len(said) <= _MOST_SAID_BYTES:
            left_s = max(0.0, ends_s - time.monotonic())
            if not select.select([stream], [], [], left_s)[0]:
                raise subprocess.TimeoutExpired(child.args, PATIENCE_S)
            if not (piece := os.read(stream.fileno(), _MOST_SAID_BYTES)):
                child.wait(max(0.0, ends_s - time.monotonic()))
                break
            said += piece
    return said


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@cache
def _note(why_free: str) -> None:
    """Say once that children are not confined."""
    if why_free:
        log.info("what looks through HDF5 files is not confined: %s", why_free)


def _fact(source: Path | bytes, found: os.stat_result, whole: bool, digest: str) -> str:
    import h5py

    if isinstance(source, bytes):
        digest = hashlib.sha256(source).hexdigest()
    file = digest or identity(found)
    code = _CHILD.read_bytes() + Path(confinement.__file__).read_bytes()
    child = hashlib.sha256(code).hexdigest()
    return f"{file} {whole} {h5py.version.hdf5_version} {child}"
