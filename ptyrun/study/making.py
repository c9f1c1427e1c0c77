"""How is one stage made? Begun, worked on, looked at and written down, by a process of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from ptyrun.engine.window import SLACK, Window
from ptyrun.errors import (
    ClosedWhileWaitingError,
    ExitCode,
    Leaving,
    PtyrunError,
    StorageError,
    UnfinishedError,
    UsageError,
)
from ptyrun.host import durable, listing, partials, trees
from ptyrun.host.children import Parent
from ptyrun.host.locks import Lock
from ptyrun.study import archive, own_models, run_notes, stage_log
from ptyrun.study.contents import Contents
from ptyrun.study.graph import Graph
from ptyrun.study.hub import DISCARDED, PIECES, Hub
from ptyrun.study.record import Attempt, Record
from ptyrun.study.stage import Stage, facts_of
from ptyrun.study.state import Standing, State, survey
from ptyrun.study.task import StageFailedError, Task, TooShortError, Work

OVERTAKEN = 76  # what the process of a stage says to its session, and to nobody else


class OvertakenError(ClosedWhileWaitingError):
    """Another process makes the stage."""


def make(
    graph: Graph,
    key: str,
    window: Window,
    work_of: Callable[[str], Work],
    trusted: tuple[str, ...] = (),
) -> Standing:
    """Make one stage, unless it is done.

    Parameters
    ----------
    graph : Graph
    key : str
    window : Window
    work_of : callable
        Gives the function that makes a kind of ptyrun's own stages.
    trusted : tuple of str
        Arms whose models may run code of their own.

    Returns
    -------
    Standing
        As it is now: done.

    Raises
    ------
    OvertakenError
        If another process makes it.
    UsageError
        If it needs stages that are not done, or files that are missing.
    UnfinishedError
        If the window closed before it was done; what is finished of it is kept.
    PtyrunError
        If it fails; the attempt says so.
    """
    stage, hub = graph.find(key), graph.hub
    graph.require_plain()
    durable.make_folder(hub.locks)
    with Lock(hub.stage_lock(key)) as lock:
        if not lock.try_acquire():
            raise OvertakenError(
                f"another process makes the stage {key}",
                why=f"{lock.path} is held: {lock.holder()}",
                do="wait until it ends, then give this command again",
            )
        archive.settle(hub)
        standing = survey(graph.upto(key), mine=key)[key]
        if standing.state is State.DONE:
            sweep(hub, stage)
            return standing
        if not standing.is_ready:
            raise UsageError(
                f"the stage {key} cannot be made now: {standing.state}",
                why=standing.why,
                do="make what it needs first: `ptyrun study run` does all in order",
            )
        return _Making(hub, standing, window, work_of, trusted).made()


class _Making:
    """A stage that is locked and can be made."""

    def __init__(
        self,
        hub: Hub,
        standing: Standing,
        window: Window,
        work_of: Callable[[str], Work],
        trusted: tuple[str, ...],
    ) -> None:
        self._standing, self._window, self._work_of = standing, window, work_of
        self._trusted = trusted
        self._stage, self._hub = standing.stage, hub
        self._contents = Contents()
        self._attempt = Attempt(self._stage.key, standing.facts, now())

    def made(self) -> Standing:
        began_s = time.monotonic()
        stage, hub = self._stage, self._hub
        self._discard_workspace()
        aside = self._make_room()
        try:
            self._work()
            inputs = self._inputs_again()
            outputs = self._look_at_outputs()
        except (UnfinishedError, Leaving) as end:
            if isinstance(end, TooShortError):
                note_cut(hub, stage, self._attempt, end.needed_s / SLACK)
            elif not isinstance(end, _WorkRemainsError) and not stage.is_divisible:
                note_cut(hub, stage, self._attempt, time.monotonic() - began_s)
            raise
        except Exception as error:
            self._fail(error)
            raise
        duration_s = round(time.monotonic() - began_s, 3)
        # Before the record, which is last: the log of a stage that is done says so.
        stage_log.append(hub, stage.key, f"{stage.key}: complete")
        record = Record(
            stage.key,
            dict(stage.parameters),
            inputs,
            outputs,
            now(),
            duration_s,
            seen_at=self._identities(),
            workspace=stage.workspace,
            log_at=stage_log.state(hub, stage.key),
            notes_at=run_notes.states(hub, stage),
        )
        record.save(stage.record(hub))
        own_models.note(stage, outputs)
        sweep(hub, stage)
        archive.drop_equal(aside, outputs, self._contents)
        return replace(
            self._standing, state=State.DONE, record=record, why="", changed=(), is_new=True
        )

    def _discard_workspace(self) -> None:
        """Take away at once what a workspace holds of other facts; other inputs are another run."""
        stage, standing = self._stage, self._standing
        folder = self._hub.path(stage.workspace)
        if not stage.workspace or not folder.is_dir():
            return
        before, record = standing.attempt, standing.record
        is_known = before is not None or record is not None
        facts = before.facts if before is not None else ""
        if record is not None:
            facts = facts_of(record.parameters, record.inputs)
        if is_known and facts != standing.facts:
            aside = self._hub.root / f"{DISCARDED}{token_hex(4)}"
            durable.publish(folder, aside)
            durable.fsync_folder(folder.parent)
            trees.discard(aside)

    def _make_room(self) -> Path | None:
        """Take away what earlier facts left; set aside what this study did not make."""
        stage, hub, standing = self._stage, self._hub, self._standing
        before = standing.attempt
        goes_on = standing.record is None and before is not None and before.facts == standing.facts
        record, tried = stage.record(hub), stage.attempt(hub)
        folders = [path for path in (record, tried) if path.is_dir() and not path.is_symlink()]
        is_known = any(os.path.lexists(path) for path in (record, tried) if path not in folders)
        foreign = [path.relative_to(hub.root).as_posix() for path in folders]
        names = foreign if is_known else archive.outermost([*stage.made(hub), *foreign])
        aside = archive.set_aside(hub, names, why="unrecorded")
        # What lies in a workspace is the business of what works there.
        written = (tried,) if stage.workspace else map(hub.path, stage.outputs)
        for folder in {path.parent for path in written}:
            durable.make_folder(folder)
        # Before anything goes: from here on, what lies there is this stage's.
        self._attempt.save(tried)
        if goes_on:
            return None  # with what it left half done
        for path in map(hub.path, stage.written(hub)):
            with durable.storage_errors(path):
                if path.is_dir() and not path.is_symlink():
                    trees.remove(path)
                else:
                    path.unlink(missing_ok=True)
        keep = stage.pieces(hub, standing.facts)
        for folder in listing.matching(keep.parent, f"{stage.key}{PIECES}*"):
            if folder != keep:
                trees.discard(folder)
        with durable.storage_errors(record):
            record.unlink(missing_ok=True)
        return aside

    def _work(self) -> None:
        stage = self._stage
        if stage.command:
            self._run_command()
            return
        pieces = stage.pieces(self._hub, self._standing.facts)
        inputs = self._standing.inputs or {}
        task = Task(stage, self._hub, self._window, pieces, inputs, self._trusted)
        self._work_of(stage.kind)(task)

    def _run_command(self) -> None:
        stage = self._stage
        left_s = self._window.remaining_s
        environment = {
            **os.environ,
            "PTYRUN_HUB": str(self._hub.root.absolute()),
            "PTYRUN_STAGE": stage.key,
            **({} if left_s == float("inf") else {"PTYRUN_WINDOW_S": f"{max(left_s, 0):.1f}"}),
        }
        sys.stdout.flush()
        try:
            with Parent() as parent:
                code = parent.call(stage.command, environment, stage.cwd)
                caught = parent.caught
        except OSError as error:
            raise _failed(stage, f"{stage.command[0]!r} cannot be run: {error.strerror}") from error
        if code == ExitCode.INCOMPLETE or (caught and code):
            says_so = code == ExitCode.INCOMPLETE
            kind = _WorkRemainsError if says_so else UnfinishedError
            raise kind(
                f"the stage {stage.key} is not done yet",
                why="its command says that work remains" if says_so else "a signal ended it",
                do="run the same command again",
            )
        if code < 0:
            raise _failed(stage, f"its command was killed by signal {-code}")
        if code:
            raise _failed(stage, f"its command ended with exit code {code}")

    def _inputs_again(self) -> Mapping[str, str]:
        """See that the inputs are still those that the stage was begun with."""
        inputs = self._standing.inputs
        assert inputs is not None
        for each in self._stage.inputs:
            if self._contents.digest(each.path.resolve(), inputs[each.name]) != inputs[each.name]:
                raise _failed(self._stage, f"its input {each.name} changed while it was made")
        return inputs

    def _look_at_outputs(self) -> dict[str, str]:
        found = {}
        for name in self._stage.outputs:
            path = self._hub.path(name)
            if path.is_file() and not path.is_symlink():
                durable.sync_file(path)
            digest = self._contents.digest(path)
            if digest is None:
                how = "ended with exit code 0" if self._stage.command else "ended"
                raise _failed(self._stage, f"it {how} without its output {name}")
            found[name] = digest
        return found

    def _identities(self) -> dict[str, str]:
        """Which files the inputs and outputs are, as they were just digested."""
        files = {each.name: each.path.resolve() for each in self._stage.inputs}
        files.update({name: self._hub.path(name) for name in self._stage.outputs})
        found = {name: self._contents.seen(path) for name, path in files.items()}
        return {name: seen for name, seen in found.items() if seen}

    def _fail(self, error: Exception) -> None:
        words = f"{error.what} ({error.why})" if isinstance(error, PtyrunError) else repr(error)
        if isinstance(error, StageFailedError):
            words = error.why
        log = self._hub.log(self._stage.key)
        note_failure(self._hub, self._stage, self._attempt, words, log)


class _WorkRemainsError(UnfinishedError):
    """Raised where a command says that it can be resumed."""


def note_cut(hub: Hub, stage: Stage, attempt: Attempt, after_s: float) -> None:
    """Write down how long a stage has had in vain: a later window must hold more."""
    with suppress(PtyrunError):
        replace(attempt, cut_after_s=round(after_s, 2)).save(stage.attempt(hub))


def note_failure(hub: Hub, stage: Stage, attempt: Attempt, words: str, log: Path) -> None:
    """Write down that an attempt failed; a disk that refuses that has its own error."""
    with suppress(PtyrunError):
        where = log.relative_to(hub.root).as_posix() if log.exists() else ""
        durable.make_folder(stage.attempt(hub).parent)
        replace(attempt, error=words[:2000], log=where).save(stage.attempt(hub))


def sweep(hub: Hub, stage: Stage) -> None:
    """Delete what only a stage at work needs; it is done, and this process has locked it."""
    with suppress(OSError):
        stage.attempt(hub).unlink(missing_ok=True)
    for pieces in _pieces(hub, stage):
        trees.discard(pieces)


def _pieces(hub: Hub, stage: Stage) -> list[Path]:
    return listing.matching(hub.path(str(stage.folder)), f"{stage.key}{PIECES}*")


def _sweep_ended(hub: Hub, seen: Standing) -> None:
    """Sweep up after a stage that was seen done, unless it is made again since."""
    stage = seen.stage
    if not os.path.lexists(stage.attempt(hub)) and not _pieces(hub, stage):
        return
    with suppress(StorageError), Lock(hub.stage_lock(stage.key), momentary=True) as lock:
        if lock.try_acquire() and Record.find_sound(stage.record(hub)) == seen.record:
            sweep(hub, stage)


def sweep_all(hub: Hub, standings: Iterable[Standing]) -> None:
    """Delete what ended processes left of stages that are done, and what they left half written."""
    folders = {hub.root, hub.archive}
    for standing in standings:
        if standing.state is State.DONE:
            _sweep_ended(hub, standing)
            folders.update(hub.path(name).parent for name in standing.stage.outputs)
    for folder in folders:
        partials.sweep(folder, time.time())
    for path in listing.matching(hub.root, f"{DISCARDED}*"):
        trees.discard(path)


def _failed(stage: Stage, why: str) -> StageFailedError:
    return StageFailedError(
        f"the stage {stage.key} failed",
        why=why,
        do="correct that, then run the same command again",
    )


def now() -> str:
    """Give the time in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
