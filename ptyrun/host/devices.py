"""Which devices does a run compute on, and who holds them now?

Two runs that share a GPU without knowing it run each other out of memory. Each device therefore has
one lock per user of the machine, named by the device's UUID and freed by the kernel when its
holder dies. A crew, workers side by side on one run, shares what one of it holds. No framework is
asked: what CUDA will show is told from ``nvidia-smi`` and ``CUDA_VISIBLE_DEVICES``.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ptyrun.durations import format_duration
from ptyrun.errors import BusyError, NotOpenedError, StorageError
from ptyrun.host import durable
from ptyrun.host.locks import Lock
from ptyrun.host.processes import Process
from ptyrun.host.runtime import make_own, user_folder
from ptyrun.progress import SILENT, Watcher

log = logging.getLogger(__name__)

CPU = "cpu"
_NVIDIA_SMI_PATIENCE_S = 30.0
_CREW_PATIENCE_S = 2.0  # until the one that was faster has said who it is
_POLL_S = 0.2


@dataclass(frozen=True)
class Gpu:
    """One GPU as ``nvidia-smi`` lists it, in the order of the PCI bus."""

    index: int
    uuid: str
    model: str


@dataclass(frozen=True)
class Holder:
    """Who holds a device, as written beside its lock."""

    pid: int
    host: str
    run: str
    since: str
    crew: str = ""

    def __str__(self) -> str:
        return f"PID {self.pid} on {self.host}, for {self.run}, since {self.since}"


@contextmanager
def hold_devices(
    run_dir: Path,
    wait_s: float,
    lock_cpu: bool,
    watcher: Watcher = SILENT,
    crew: str = "",
    is_closing: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, ...]]:
    """Keep every device that this process computes on to this process.

    Parameters
    ----------
    run_dir : Path
        The run to name to those who are refused.
    wait_s : float
        How long to wait for devices that others hold, all of them together.
    lock_cpu : bool
        Hold the CPU as well: then no two runs that ask for this compute at once.
    watcher : Watcher
        Told when there is something to wait for.
    crew : str
        Devices that a member of the same crew holds are shared.
    is_closing : callable
        Whether the session that waits has to end; asked again and again.

    Yields
    ------
    tuple of str
        The devices to compute on: UUIDs of GPUs, and ``cpu``.

    Raises
    ------
    BusyError
        If another process holds a device for longer; the error names it.
    NotOpenedError
        If the session has to end before.
    """
    devices = (*visible_gpus(os.environ, list_gpus()), *([CPU] if lock_cpu else []))
    if not devices:
        yield ()
        return
    folder = lock_folder()
    deadline_s = time.monotonic() + wait_s
    with ExitStack() as held:
        # In one order for everybody, so that two who need the same two devices never deadlock.
        for name in sorted(devices):
            device = _Device(folder, name)
            if _acquire(device, deadline_s, watcher, crew, is_closing):
                held.callback(device.release)
                device.sign(run_dir, crew)
        yield devices


def list_gpus() -> tuple[Gpu, ...]:
    """Ask ``nvidia-smi``; none where it is absent or cannot reach the driver."""
    binary = shutil.which("nvidia-smi")
    if binary is None:
        return ()
    query = [binary, "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(
            query, capture_output=True, text=True, timeout=_NVIDIA_SMI_PATIENCE_S, check=True
        )
    except subprocess.TimeoutExpired:
        log.warning("nvidia-smi does not answer: no GPU is locked")
        return ()
    except (OSError, subprocess.SubprocessError):
        # No driver, no devices: then no framework finds one either.
        return ()
    return parse_gpus(answer.stdout)


def parse_gpus(listing: str) -> tuple[Gpu, ...]:
    """Read lines such as ``0, GPU-8932f937-d72c-4106-c12f-20bd9faed9f6, NVIDIA H200``.

    Lines of another form are passed over.
    """
    found = []
    for line in listing.splitlines():
        fields = [field.strip() for field in line.split(",", maxsplit=2)]
        if len(fields) == 3 and fields[0].isdecimal() and fields[1].startswith("GPU-"):
            found.append(Gpu(int(fields[0]), fields[1], fields[2]))
    return tuple(found)


def visible_gpus(environment: Mapping[str, str], gpus: tuple[Gpu, ...]) -> tuple[str, ...]:
    """Tell which GPUs CUDA shows to a process with this environment.

    Parameters
    ----------
    environment : mapping
        ``CUDA_VISIBLE_DEVICES`` holds indices, UUIDs (or their beginnings) of GPUs and of MIG
        instances; the first entry that names nothing ends the list, as in CUDA.
    gpus : tuple of Gpu
        What there is.

    Returns
    -------
    tuple of str
        UUIDs. Every GPU if indices are given, models differ and ``CUDA_DEVICE_ORDER`` does not say
        ``PCI_BUS_ID``: then CUDA orders by speed, which cannot be told from here.
    """
    everything = tuple(gpu.uuid for gpu in gpus)
    wanted = environment.get("CUDA_VISIBLE_DEVICES")
    if wanted is None or not gpus:
        return everything
    by_bus = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    ordered = by_bus or len({gpu.model for gpu in gpus}) == 1
    found: list[str] = []
    for entry in (entry.strip() for entry in wanted.split(",")):
        if entry.isdecimal() and not ordered:
            return everything
        uuid = _named(entry, gpus)
        if uuid is None:
            break
        found.append(uuid)
    return tuple(dict.fromkeys(found))


def _named(entry: str, gpus: tuple[Gpu, ...]) -> str | None:
    if entry.startswith("MIG-"):
        return entry
    matches = [
        gpu.uuid
        for gpu in gpus
        if (entry.isdecimal() and gpu.index == int(entry))
        or (entry.startswith("GPU-") and gpu.uuid.startswith(entry))
    ]
    return matches[0] if len(matches) == 1 else None


def lock_folder() -> Path:
    """Find or make the folder of this user's locks.

    Raises
    ------
    StorageError
        If somebody else owns what lies there, or may write into it.
    """
    folder = user_folder()
    with durable.storage_errors(folder):
        is_own = make_own(folder)
    if not is_own:
        raise StorageError(
            f"{folder} does not belong to this user",
            why="device locks in a folder that others can write to could be forged",
            do="remove it, or set XDG_RUNTIME_DIR to a folder of your own",
        )
    return folder


class _Device:
    """One device's lock and, beside it, who holds it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.is_cpu = name == CPU
        self.name = "the CPU" if self.is_cpu else name
        self._lock = Lock(folder / f"{name}.lock")
        self._holder = folder / f"{name}.json"

    def acquire(self, patience_s: float, is_closing: Callable[[], bool] = lambda: False) -> bool:
        return self._lock.acquire(patience_s, is_closing)

    def sign(self, run_dir: Path, crew: str) -> None:
        process = Process.current()
        holder = Holder(
            pid=process.pid,
            host=process.host,
            run=str(run_dir.resolve()),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            crew=crew,
        )
        with suppress(StorageError):  # a name for people: the lock itself is held
            durable.write_atomic(self._holder, json.dumps(asdict(holder)).encode())

    def holder(self) -> Holder | None:
        try:
            return Holder(**json.loads(self._holder.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def held_by(self) -> str:
        return str(self.holder() or "a process that has not yet said who it is")

    def release(self) -> None:
        with suppress(OSError):
            self._holder.unlink(missing_ok=True)
        self._lock.release()


def _acquire(
    device: _Device,
    deadline_s: float,
    watcher: Watcher,
    crew: str,
    is_closing: Callable[[], bool],
) -> bool:
    """Get hold of *device*; False if the crew has it already."""
    if device.acquire(0):
        return True
    patience_s = deadline_s - time.monotonic()
    if patience_s > 0:
        wait = format_duration(patience_s)
        watcher.note(f"waiting up to {wait} for {device.name}, held by {device.held_by()}")
    if crew:
        deadline_s = max(deadline_s, time.monotonic() + _CREW_PATIENCE_S)
    while (patience_s := deadline_s - time.monotonic()) > 0:
        # Looked at again and again: of a waiting crew, only one gets the lock.
        holder = device.holder()
        if crew and holder is not None and holder.crew == crew:
            return False
        if is_closing():
            raise NotOpenedError(
                f"the window closed while {device.name} was held by {device.held_by()}"
            )
        if device.acquire(min(patience_s, _POLL_S), is_closing):
            return True
    elsewhere = "" if device.is_cpu else ", or choose another device with CUDA_VISIBLE_DEVICES"
    raise BusyError(
        f"{device.name} is in use",
        why=f"it is held by {device.held_by()}",
        do=f"wait for it with --device-wait 5m{elsewhere}",
    )
