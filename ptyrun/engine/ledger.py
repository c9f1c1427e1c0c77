"""What happened to this run?

``ledger/<session>.jsonl``, one file per session, only ever appended to: the one truth about
progress. Writers never share a file. A torn last line is what a crash leaves and means nothing; any
other line that does not prove itself is damage. `Ledger` reads all files and keeps their sum.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import google_crc32c

from ptyrun.engine.endings import Ending, ending_of
from ptyrun.engine.long_lines import require_short
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.progress import ArmProgress, Progress
from ptyrun.engine.records import (
    BadLineError,
    Closed,
    Committed,
    Disregarded,
    NewerLineError,
    Opened,
    Record,
    Started,
    decode,
)
from ptyrun.engine.usual_lines import UsualLines
from ptyrun.errors import (
    DamageError,
    ExitCode,
    GoneError,
    IdentityError,
    StorageError,
)
from ptyrun.host import durable, listing
from ptyrun.paths import RunPaths

SUFFIX = ".jsonl"
_READ_BYTES = 2**22  # at once: of a long ledger, memory holds a part


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that does not prove itself."""

    session: str
    offset: int
    length: int
    crc32c: str
    why: str

    @property
    def identity(self) -> tuple[str, int, int, str]:
        """What a `Disregarded` line says of it."""
        return (self.session, self.offset, self.length, self.crc32c)


@dataclass
class SessionFile:
    """How far one session's file was read, and what it says of the session itself."""

    name: str
    offset: int = 0
    crc: int = 0
    opened: Opened | None = None
    closed: Closed | None = None
    commits: int = 0
    stretches: int = 0
    headless: bool = False  # its first line is damaged: nothing in it counts

    @property
    def window(self) -> str:
        """Name of the window it belongs to: its own, or that of its crew."""
        return (self.opened and self.opened.crew) or self.name

    @property
    def computed(self) -> bool:
        """It worked towards chunks; a repair does not, nor a call that finds them all there."""
        tried = bool(self.commits or self.stretches)
        return self.opened is not None and towards_chunks(self.closed, tried=tried)

    @property
    def is_at_work(self) -> bool:
        """Whether it has not closed and its process runs, as far as this host can tell."""
        if self.opened is None or self.closed is not None:
            return False
        return self.opened.process.is_alive()


def towards_chunks(closed: Closed | None, *, tried: bool) -> bool:
    """Whether a session worked towards chunks; *tried*, if it began or committed any."""
    return tried or closed is None or closed.exit_code not in (ExitCode.COMPLETE, ExitCode.USAGE)


class Ledger:
    """The sum of all sessions' files, kept up to date by `refresh`.

    Safe to use from several threads.

    Parameters
    ----------
    paths : RunPaths
    manifest : Manifest
    """

    def __init__(self, paths: RunPaths, manifest: Manifest) -> None:
        self.paths = paths
        self.manifest = manifest
        self.progress = Progress(manifest)
        self.sessions: dict[str, SessionFile] = {}
        self.foreign: dict[str, str] = {}  # session -> the unknown digest it quotes
        self.lock = threading.RLock()
        self.cached_bytes = 0  # of those read, how many came from a cache
        self._own: str | None = None
        self._dead: set[str] = set()
        self._bad_lines: dict[tuple[str, int], BadLine] = {}
        self._disregarded: set[tuple[str, int, int, str]] = set()
        self._digests: set[str] | None = None

    def restore(
        self,
        arms: Mapping[str, ArmProgress],
        sessions: Mapping[str, SessionFile],
        bad_lines: Iterable[BadLine],
    ) -> None:
        """Take over a sum that was made earlier; what came since is up to `refresh`."""
        self.progress.arms = dict(arms)
        self.sessions = dict(sessions)
        self.cached_bytes = sum(file.offset for file in self.sessions.values())
        self._bad_lines = {(line.session, line.offset): line for line in bad_lines}
        for file in self.sessions.values():
            if file.opened is not None:
                self._judge(file.name, file.opened)

    def raise_if_failed(self) -> None:
        """Raise if what was read cannot be trusted.

        Raises
        ------
        IdentityError
            If a session worked on another manifest.
        DamageError
            If a line other than a torn last one does not prove itself.
        """
        for session, digest in self.foreign_work().items():
            raise IdentityError(
                f"session {session} of this run worked on another manifest",
                why=f"it quotes {digest[:12]}…, the manifest is {self.manifest.digest[:12]}…",
                do="restore the manifest it belongs to, or plan into another output folder",
            )
        if bad := self.bad_lines():
            raise DamageError(
                f"the ledger is damaged: {bad[0].session}{SUFFIX}, byte {bad[0].offset}",
                why=f"{bad[0].why}; {len(bad)} such line(s) in all",
                do="run `ptyrun verify RUN --repair`: what these lines said is computed again",
            )

    def foreign_work(self) -> dict[str, str]:
        """Sessions that committed to an unknown manifest, with its digest.

        One that committed nothing found out in time that its plan was replaced: that is harmless.
        """
        with self.lock:
            quoted = self.foreign.items()
            return {name: digest for name, digest in quoted if self.sessions[name].commits}

    def bad_lines(self) -> list[BadLine]:
        """List the lines that do not prove themselves and are not yet known."""
        with self.lock:
            lines = self._bad_lines.values()
            return [line for line in lines if line.identity not in self._disregarded]

    def unexplained(self) -> int:
        """Count chunks that no session committed, and none gave up or lost to a damaged line."""
        with self.lock:
            if self._disregarded or self._bad_lines:
                return 0
            arms = self.progress.arms.values()
            return sum(chunk not in arm.forgotten for arm in arms for chunk in arm.missing())

    def size(self) -> int:
        """Return how many bytes all sessions wrote."""
        with durable.storage_errors(self.paths.ledger, "read"):
            return sum(path.stat().st_size for path in self._files())

    def refresh(self) -> bool:
        """Read what other sessions added; tell whether there was anything.

        Raises
        ------
        NewerError
            If a newer ptyrun wrote a session or a line: what it means is not known here.
        """
        with self.lock:
            news = False
            for path in self._files():
                news |= self._read_tail(path)
            return news

    def _files(self) -> list[Path]:
        """List the files that may have grown: neither this session's nor a closed one's."""
        return [
            path
            for path in session_files(self.paths)
            if path.stem != self._own and not self._is_closed(path.stem)
        ]

    def _is_closed(self, session: str) -> bool:
        return session in self.sessions and self.sessions[session].closed is not None

    def read_until(self, session: str, stop: int) -> None:
        """Read one session's file as far as byte *stop*."""
        with self.lock:
            self._read_tail(self.paths.ledger / f"{session}{SUFFIX}", stop)

    def _read_tail(self, path: Path, stop: int | None = None) -> bool:
        file = self.sessions.setdefault(path.stem, SessionFile(path.stem))
        with durable.storage_errors(path, "read"):
            if path.stat().st_size <= file.offset:
                return False
            with path.open("rb") as stream:
                stream.seek(file.offset)
                start, tail = file.offset, b""
                while stop is None or stream.tell() < stop:
                    left = _READ_BYTES if stop is None else min(_READ_BYTES, stop - stream.tell())
                    if not (block := stream.read(left)):
                        break
                    tail = self._read_lines(file, tail + block)
                    require_short(len(tail), path)
        if tail and _proves_itself(tail[:-1]):  # a whole line whose newline was changed
            self._note_bad(file, tail, "its end is damaged")
        return file.offset > start

    def _read_lines(self, file: SessionFile, data: bytes) -> bytes:
        """Add the whole lines of *data* to the sum; return what comes after the last one."""
        *lines, tail = data.split(b"\n")
        start = file.offset
        usual = UsualLines(self.progress, file.name)
        try:
            for line in lines:
                is_known = file.opened is not None and not file.headless
                if is_known and usual.add(line, counts=file.name not in self.foreign):
                    file.offset += len(line) + 1
                else:
                    usual.flush()
                    self._read_line(file, line)
        finally:
            usual.flush()
            file.commits += usual.commits
            file.stretches = max(file.stretches, usual.stretch)
            file.crc = google_crc32c.extend(file.crc, data[: file.offset - start])
        return tail

    def _read_line(self, file: SessionFile, line: bytes) -> None:
        try:
            record = decode(line)
            if not file.headless and isinstance(record, Opened) != (file.opened is None):
                raise BadLineError("a session's first line, and only this, must open it")
        except NewerLineError as error:
            raise error.of(file.name, file.opened.version if file.opened else "") from error
        except BadLineError as error:
            self._note_bad(file, line, str(error))
            file.headless |= file.opened is None
        else:
            if not file.headless:
                self.apply(file, record)
        file.offset += len(line) + 1

    def _note_bad(self, file: SessionFile, line: bytes, why: str) -> None:
        crc32c = f"{google_crc32c.value(line):08x}"
        bad = BadLine(file.name, file.offset, len(line), crc32c, why)
        self._bad_lines[file.name, file.offset] = bad

    def apply(self, file: SessionFile, record: Record) -> None:
        """Add one line of *file* to the sum."""
        match record:
            case Opened():
                file.opened = record
                self._judge(file.name, record)
            case Closed():
                file.closed = record
                self.progress.close_starts(file.name)
            case Disregarded():
                known = (record.session, record.offset, record.length, record.crc32c)
                self._disregarded.add(known)
            case _:
                if isinstance(record, Committed):
                    file.commits += 1
                if isinstance(record, Started):
                    file.stretches = max(file.stretches, record.stretch)
                if file.name not in self.foreign:
                    self.progress.apply(file.name, record)

    def _judge(self, session: str, opened: Opened) -> None:
        if opened.manifest not in self._known_digests():
            self.foreign[session] = opened.manifest

    def _known_digests(self) -> set[str]:
        if self._digests is None:
            self._digests = {self.manifest.digest}
            self._digests |= {old.stem for old in listing.matching(self.paths.superseded, "*.json")}
        return self._digests

    def next_sequence(self) -> int:
        """Return a number above that of every session read so far."""
        numbers = [file.opened.sequence for file in self.sessions.values() if file.opened]
        return max(numbers, default=0) + 1

    @property
    def own(self) -> str | None:
        """Name of this process's own session, once it has one."""
        return self._own

    def attempts(self, arm: ArmProgress, chunk: int, alive: Callable[[str], bool]) -> int:
        """Count how often *chunk* was tried in vain: it failed, or its session died in it."""
        deaths = sum(1 for _ in self.deaths(arm, chunk, alive))
        return sum(not failed.by_chance for failed in arm.failures.get(chunk, ())) + deaths

    def deaths(
        self, arm: ArmProgress, chunk: int, alive: Callable[[str], bool]
    ) -> Iterator[Started]:
        """How *chunk* was begun when its session, or its predictor's process, was killed."""
        for failed in arm.failures.get(chunk, ()):
            if failed.by_chance:
                yield Started(failed.arm, chunk, failed.generation, failed.at_s, failed.stretch)
        for session, started in arm.open_starts.get(chunk, {}).items():
            # What it had begun before was computed, and waited to be written.
            is_last = started.stretch == self.sessions[session].stretches
            if is_last and self._died(session, alive):
                yield started

    def _died(self, session: str, alive: Callable[[str], bool]) -> bool:
        file = self.sessions[session]
        if file.closed is not None or session == self._own or file.opened is None:
            return False
        if session not in self._dead:
            rebooted = file.opened.process.went_down_with_its_host()
            if file.is_at_work or rebooted or alive(session):
                return False
            if ending_of(self.paths, session, file.opened) is not Ending.KILLED:
                return False
            self._dead.add(session)
        return True

    def adopt(self, name: str) -> SessionFile:
        """Take *name* as this process's own file: never re-read."""
        self._own = name
        return self.sessions.setdefault(name, SessionFile(name))


def _proves_itself(line: bytes) -> bool:
    try:
        decode(line)
    except BadLineError as error:
        return isinstance(error, NewerLineError)
    return True


def session_files(paths: RunPaths) -> list[Path]:
    """List the files of all sessions; what is not a plain file was written by none."""
    try:
        with durable.storage_errors(paths.ledger, "read"), os.scandir(paths.ledger) as entries:
            names = [
                entry.name
                for entry in entries
                if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False)
            ]
    except GoneError:
        return []
    except StorageError as error:
        # Where the file stands further up, there is no run, and so no ledger.
        if isinstance(error.__cause__, NotADirectoryError) and not os.path.lexists(paths.ledger):
            return []
        raise
    return [paths.ledger / name for name in sorted(names)]


def supersede(paths: RunPaths, manifest: Manifest) -> None:
    """Keep *manifest*, which an explicit invalidation is about to replace.

    Its sessions then still count, for the arms whose fingerprint stays.
    """
    durable.make_folder(paths.superseded)
    manifest.save(paths.superseded / f"{manifest.digest}.json")
