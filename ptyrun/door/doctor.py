"""Is this machine fit for ptyrun? Told without importing a framework."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ptyrun.child.inline import INLINE, is_inline
from ptyrun.errors import PtyrunError
from ptyrun.host import confinement, durable, memory
from ptyrun.host.devices import list_gpus
from ptyrun.host.locks import NO_LOCKS_SAID, Lock
from ptyrun.host.processes import n_cores

# What each package is there for, and how it is had; those of NEEDED are always installed.
NEEDED = ("numpy", "zarr", "h5py", "scipy", "matplotlib")
OPTIONAL = {
    "tensorflow": (
        "Keras files, SavedModels and bundles of upstream's",
        "pip install 'ptyrun[tf]'",
    ),
    "torch": (
        "state dicts, TorchScript and torch.export files",
        "pip install 'ptyrun[pytorch]'",
    ),
    "distributed": ("workers on a Dask cluster", "pip install 'ptyrun[dask]'"),
    "obstore": ("runs that were published in a bucket", "pip install 'ptyrun[s3]'"),
    "ptychi": ("reconstructions by pty-chi", "pip install ptychi"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``do`` is empty where nothing is to be done."""

    topic: str
    found: str
    do: str = ""


def examine(folder: Path) -> Iterator[Finding]:
    """Look at versions, devices, confinement and the file system of *folder*.

    Parameters
    ----------
    folder : Path
        Where runs are to lie; nothing of what is written there to try its locks stays.
    """
    yield Finding("ptyrun", f"{_version('ptyrun')} on Python {platform.python_version()}")
    yield Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    for name in NEEDED:
        yield Finding(
            name, _version(name) or "not installed", "" if _version(name) else "reinstall"
        )
    for name, (reads, how) in OPTIONAL.items():
        found = _version(name)
        yield Finding(name, found or f"not installed; it is for {reads}", "" if found else how)
    yield Finding("cores", str(n_cores()))
    yield _memory()
    yield _gpus()
    yield from _confinement()
    yield from _folder(folder)


def _memory() -> Finding:
    try:
        return Finding("memory", f"{memory.available_bytes() / 1e9:.1f} GB free")
    except OSError as error:
        refused = durable.explanation(error)
        return Finding("memory", f"not known: {refused.why}", refused.do)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _gpus() -> Finding:
    try:
        gpus = list_gpus()
    except PtyrunError as error:
        return Finding("GPUs", error.what, error.do)
    if not gpus:
        return Finding("GPUs", "none that nvidia-smi lists: networks run on the CPU")
    return Finding("GPUs", ", ".join(f"{gpu.index}: {gpu.model}" for gpu in gpus))


def _confinement() -> Iterator[Finding]:
    abi = confinement.abi()
    found = confinement.Confinement(min(abi, confinement.NEWEST_ABI))
    if not abi:
        yield Finding(
            "confinement",
            "this kernel has no Landlock: neither predictors nor what looks through HDF5 files "
            "are confined",
            "use Linux 5.13 or later with Landlock switched on (lsm=landlock,...)",
        )
    else:
        yield Finding(
            "confinement",
            f"Landlock, ABI {abi}: predictors and the inspection of HDF5 files are confined by it",
        )
    yield Finding("stopped", "; ".join(found.stopped) or "nothing")
    yield Finding("not stopped", "; ".join(found.let_through))
    if is_inline():
        yield Finding(
            "models",
            f"run in the session's own process, as {INLINE} says: with your rights, confined by "
            "nothing",
            f"unset {INLINE} but for debuggers and profilers",
        )
    else:
        yield Finding("models", "each arm's predictor runs in a process of its own")


def _folder(folder: Path) -> Iterator[Finding]:
    place = folder.absolute()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    yield Finding(
        "folder", f"{place}: {free / 1e9:.1f} GB free", "" if free > 1e9 else "free disk space"
    )
    said: list[str] = []
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".ptyrun-doctor-", dir=place) as own,
            Lock(Path(own) / "lock", say=said.append) as lock,
        ):
            held = lock.try_acquire()
    except (OSError, PtyrunError) as error:
        yield Finding("locks", f"cannot be tried: {error}", "name a folder you can write to")
        return
    if said or not held:
        yield Finding("locks", f"{NO_LOCKS_SAID}: heartbeat files are used instead")
    else:
        yield Finding("locks", "the kernel frees them when their holder dies")
