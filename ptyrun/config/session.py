"""How long and with what help does a session work, and what of an earlier plan may it replace?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ptyrun.config.options import DURATION, Option, Panel, Place, entries
from ptyrun.errors import UsageError

AUTO = 0  # workers, as many as the machine has use for

WINDOW = Option(
    "--window",
    "Wall time this session may use, counted from process start, e.g. 170s.",
    Panel.WINDOWS,
    DURATION,
    "unlimited",
    above=0.0,
)

MOST_LOCAL = 1024
_ADDRESSES = "give an address like tcp://10.0.0.1:8786, or local:4"


@dataclass(frozen=True)
class SessionOptions:
    """How long and with what help one session works; changes no result.

    Each of several workers is told by ``crew`` with whom it shares a window.
    """

    window_s: Annotated[float | None, WINDOW] = None
    max_chunks: Annotated[
        int | None,
        Option("--max-chunks", "Stop after N chunks.", Panel.WINDOWS, "N", "all", least=1),
    ] = None
    arms: Annotated[
        tuple[str, ...] | None,
        Option(
            "--only-arm",
            "Work on this arm only, of those that are planned.",
            Panel.WINDOWS,
            "ARM",
            "all",
        ),
    ] = None
    shared_folder: Annotated[
        bool,
        Option(
            "--shared-folder",
            "Several hosts work on this run through a network folder: claim by leases, not locks.",
            Panel.MACHINE,
        ),
    ] = False
    device_wait_s: Annotated[
        float,
        Option(
            "--device-wait",
            "How long to wait for a GPU that another run holds.",
            Panel.MACHINE,
            DURATION,
            "not at all",
        ),
    ] = 0.0
    lock_cpu: Annotated[
        bool,
        Option(
            "--lock-cpu",
            "Take an exclusive CPU lock: runs started with this flag never overlap.",
            Panel.MACHINE,
        ),
    ] = False
    workers: Annotated[
        int,
        Option(
            "--workers",
            "Compute with N processes; auto is one per GPU, or per core without a GPU.",
            Panel.MACHINE,
            "N",
            named={"auto": AUTO},
            least=1,
        ),
    ] = 1
    dask: Annotated[
        str | None,
        Option(
            "--dask",
            "Compute on the workers of the Dask cluster whose scheduler listens there, or of one "
            "with N workers here (`local:N`); all must see the run's folder under one path.",
            Panel.MACHINE,
            "ADDRESS",
        ),
    ] = None
    require_debug: Annotated[
        Path | None,
        Option(
            "--require-debug",
            "Begin only if this smaller run of the same models and scan is complete, with every "
            "byte checked.",
            Panel.EARLIER,
            place=Place.RUN,
        ),
    ] = None
    crew: str = ""
    trusted_arms: Annotated[
        tuple[str, ...],
        Option(
            "--trust-model",
            "Let the model of this arm run its maker's code, with your rights: needed for .pt2, "
            "TorchScript, SavedModels and bundles with layers of their own.",
            Panel.NETWORKS,
            "ARM",
        ),
    ] = ()
    unconfined_arms: Annotated[
        tuple[str, ...],
        Option(
            "--unconfined",
            "Do not confine the process of this arm's predictor: it may then read, write and "
            "connect as you can. Needed where it wants files beside its model and packages.",
            Panel.NETWORKS,
            "ARM",
        ),
    ] = ()
    adopt: Annotated[
        bool,
        Option(
            "--adopt",
            "Accept a run that another user or another machine planned: its "
            "factories, plug-ins and folders are used with your rights. Needed only once.",
            Panel.EARLIER,
        ),
    ] = False

    def __post_init__(self) -> None:
        """Refuse workers of two kinds, and a cluster of none."""
        if self.dask is not None:
            local_workers(self.dask)
        if self.workers != 1 and self.dask:
            raise UsageError(
                "--workers and --dask contradict each other",
                why="workers are either processes here, or those of the cluster",
                do="give one of them; `dask worker --nworkers` says how many a cluster has",
            )

    def words(self, reuse: Iterable[Path] = ()) -> list[str]:
        """What ``ptyrun run`` is told, so that it works like this, and takes chunks of *reuse*.

        Examples
        --------
        >>> SessionOptions(window_s=170.0, lock_cpu=True, arms=("pinn",)).words()
        ['--window', '170.0', '--only-arm', 'pinn', '--lock-cpu']
        """
        options = entries(SessionOptions)
        words = [word for entry in options for word in entry.words(getattr(self, entry.field))]
        words += [word for folder in reuse for word in ("--reuse", str(folder))]
        return [*words, "--crew", self.crew] if self.crew else words


@dataclass(frozen=True)
class Replanning:
    """What is done with a run that is there already, and with chunks of others."""

    reuse: Annotated[
        tuple[Path, ...],
        Option(
            "--reuse",
            "Take over chunks of another run that hold the same groups of the same network, after "
            "a check of every byte.",
            Panel.EARLIER,
            place=Place.RUN,
        ),
    ] = ()
    new: Annotated[
        bool,
        Option("--new", "Move an existing run aside and start over.", Panel.EARLIER),
    ] = False
    invalidate: Annotated[
        tuple[str, ...],
        Option(
            "--invalidate",
            "Accept that this arm changed; its chunks are computed again, the others stay. "
            "`results` accepts other options of evaluation.",
            Panel.EARLIER,
            "ARM",
        ),
    ] = ()


def local_workers(address: str) -> int:
    """How many workers here ``local:N`` asks for; 0 for a scheduler's address.

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> local_workers("local:4"), local_workers("tcp://10.0.0.1:8786")
    (4, 0)
    """
    kind, _, number = address.partition(":")
    if kind != "local":
        if not address.strip():
            raise UsageError("--dask names no scheduler", why="the address is empty", do=_ADDRESSES)
        return 0
    if not (number.isascii() and number.isdigit() and 0 < int(number) <= MOST_LOCAL):
        raise UsageError(
            f"--dask {address} is not a cluster",
            why=f"local:N takes a number of workers, 1 to {MOST_LOCAL}",
            do=_ADDRESSES,
        )
    return int(number)
