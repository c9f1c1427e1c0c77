"""Which process works on a run in the background, and what became of it?

The content of ``process.json``: written when the session begins, and once more when it ends.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import astuple, dataclass
from typing import ClassVar

import psutil

from ptyrun.comparison.counts import Counts
from ptyrun.host.documents import Document
from ptyrun.host.processes import Process, Standing
from ptyrun.texts import is_plain

MAX_COUNT = 2**53  # what a float counts exactly; more of nothing can be
_TOKEN = re.compile(r"[0-9a-f-]{1,80}")
_BELOW = re.compile(r"(?:logs|blocked)/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_EXIT_CODES = range(-64, 256)  # minus the signal that killed it; what a process can tell


def check_ending(exit_code: int | None, evidence: str, windows: int, counts: Counts | None) -> None:
    """Refuse an ending that no session has.

    Raises
    ------
    ValueError
        If it is one; the message names what.
    """
    if exit_code is not None and exit_code not in _EXIT_CODES:
        raise ValueError(f"no process ends with exit code {exit_code:.3g}")
    if evidence and not _BELOW.fullmatch(evidence):
        raise ValueError(
            f"it names {evidence!r:.200}, and a session writes right below logs/ or blocked/"
        )
    if not 0 <= windows <= MAX_COUNT:
        raise ValueError(f"no session took {windows:.3g} windows")
    if counts is not None and not all(0 <= each <= MAX_COUNT for each in astuple(counts)):
        raise ValueError("its counts are not valid")


def check_texts(**texts: str) -> None:
    """Refuse texts of one line that a terminal would obey.

    Raises
    ------
    ValueError
        If there is one; the message names it.
    """
    for name, text in texts.items():
        if not is_plain(text):
            raise ValueError(f"{name} has control characters")


@dataclass(frozen=True)
class Observation:
    """What became of a process, and how that is known."""

    standing: Standing
    words: str


@dataclass(frozen=True)
class Ending:
    """How a session ended; ``evidence`` is what to read first, below the run's folder."""

    exit_code: int
    reason: str
    evidence: str
    counts: Counts | None
    windows: int


@dataclass(frozen=True)
class TrackedProcess(Document):
    """Content of ``process.json``: one process, named for ever, what it does and how it ended.

    Attributes
    ----------
    session : str
        Random; the process carries it in its environment, ``completion.json`` quotes it.
    host, boot_id, pid, process_started_s
        Name the process as a ledger's ``session_open`` line does.
    pid_namespace : str
        In which namespace of the host the PID counts; empty where there is none.
    argv : tuple of str
        The command that the process runs.
    log : str
        Where it writes, below the run's folder; empty if to its own terminal.
    manifest_digest : str
        The run that it works on.
    started_at, ended_at : str
        UTC; the latter is empty while the session works, and for ever if it died.
    exit_code : int or None
        How it ended, as of the commands.
    reason, evidence : str
        For people; and what they should read first if it is not 0: a blocker or the log.
    counts : Counts or None
        None if the ledger cannot be trusted.
    windows : int
        How many windows the session took.
    """

    NAME: ClassVar[str] = "process.json"
    SCHEMA: ClassVar[int] = 2
    REMEDY: ClassVar[str] = (
        "delete it: it only says which process works in the background, and how it ended"
    )

    session: str
    host: str
    boot_id: str
    pid: int
    process_started_s: float
    pid_namespace: str
    argv: tuple[str, ...]
    log: str
    manifest_digest: str
    started_at: str
    ended_at: str = ""
    exit_code: int | None = None
    reason: str = ""
    evidence: str = ""
    counts: Counts | None = None
    windows: int = 0

    @property
    def ending(self) -> Ending | None:
        """How the session ended; None while it works, and for ever if it died."""
        if self.exit_code is None:
            return None
        return Ending(self.exit_code, self.reason, self.evidence, self.counts, self.windows)

    @property
    def process(self) -> Process:
        """The process's name."""
        return Process(self.host, self.boot_id, self.pid, self.process_started_s)

    def __str__(self) -> str:
        return f"PID {self.pid} on {self.host}, started {self.started_at}"

    def check(self) -> None:
        """Refuse names and paths that no session has."""
        if not _TOKEN.fullmatch(self.session):
            raise ValueError(f"no session is called {self.session!r:.80}")
        if not 0 < self.pid < 2**31:
            raise ValueError(f"no process has PID {self.pid}")
        check_ending(self.exit_code, self.log, self.windows, self.counts)
        check_ending(None, self.evidence, 0, None)
        check_texts(host=self.host, started_at=self.started_at, ended_at=self.ended_at)

    def observe(self) -> Observation:
        """Tell what became of the process, as far as it can be told from here."""
        standing = self.process.standing(self.pid_namespace)
        if standing is Standing.GONE and (occupant := _command_of(self.pid)) is not None:
            words = f"PID {self.pid} now belongs to another process ({occupant})"
            return Observation(Standing.REUSED, words)
        container = "in another container on" if self.process.is_here() else "on host"
        words = {
            Standing.REBOOTED: f"{self.host} was started again since, and PID {self.pid} went down "
            "with it",
            Standing.ELSEWHERE: f"it was started {container} {self.host}, out of sight from here",
            Standing.ALIVE: f"PID {self.pid} is alive",
        }.get(standing, f"no process has PID {self.pid} any more")
        return Observation(standing, words)


def _command_of(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return shlex.join(process.cmdline()) or process.name()
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return "of another user"
