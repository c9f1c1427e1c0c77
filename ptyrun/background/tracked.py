"""Which process works on a run in the background, and what became of it?"""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import ClassVar, Self

import psutil

from ptyrun.engine import durable
from ptyrun.engine.documents import no_document, read_document, sealed
from ptyrun.engine.processes import Process, pid_namespace


class Standing(Enum):
    """What became of a process."""

    ALIVE = "alive"
    GONE = "gone"
    REUSED = "its PID belongs to another process"
    REBOOTED = "its machine was started again"
    ELSEWHERE = "on another host or in another container"

    @property
    def is_over(self) -> bool:
        """Whether it certainly does no work any more."""
        return self in {Standing.GONE, Standing.REUSED, Standing.REBOOTED}


@dataclass(frozen=True)
class Judgement:
    """What became of a process, and how that is known."""

    standing: Standing
    words: str


@dataclass(frozen=True)
class TrackedProcess:
    """Content of ``process.json``: one process, named for ever, and what it does.

    Attributes
    ----------
    session : str
        Random; ``completion.json`` quotes it.
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
    started_at : str
        UTC.
    """

    SCHEMA: ClassVar[int] = 1

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

    @property
    def process(self) -> Process:
        """The process's name."""
        return Process(self.host, self.boot_id, self.pid, self.process_started_s)

    def __str__(self) -> str:
        return f"PID {self.pid} on {self.host}, started {self.started_at}"

    def to_json(self) -> str:
        """One JSON document."""
        return sealed({"schema": self.SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read ``process.json``.

        Raises
        ------
        SchemaError
            If the text is no such document, or newer than this ptyrun.
        """
        document = read_document(text, "process.json", cls.SCHEMA)
        try:
            return cls(**{**document, "argv": tuple(document["argv"])})
        except (KeyError, TypeError) as error:
            raise no_document("process.json", error) from error

    def save(self, path: Path) -> None:
        """Write ``process.json``, all or nothing."""
        durable.write_atomic(path, self.to_json().encode())

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read ``process.json``; None if no session was ever started."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return None

    def judge(self) -> Judgement:
        """Tell what became of the process, as far as it can be told from here."""
        process = self.process
        if process.went_down_with_its_host():
            words = f"{self.host} was started again since, and PID {self.pid} went down with it"
            return Judgement(Standing.REBOOTED, words)
        if not process.is_here():
            words = f"it was started on host {self.host}, out of sight from here"
            return Judgement(Standing.ELSEWHERE, words)
        if self.pid_namespace != pid_namespace():
            words = f"it was started in another container on {self.host}, out of sight from here"
            return Judgement(Standing.ELSEWHERE, words)
        if process.is_alive():
            return Judgement(Standing.ALIVE, f"PID {self.pid} is alive")
        occupant = _command_of(self.pid)
        if occupant is not None:
            words = f"PID {self.pid} now belongs to another process ({occupant})"
            return Judgement(Standing.REUSED, words)
        return Judgement(Standing.GONE, f"no process has PID {self.pid} any more")


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
