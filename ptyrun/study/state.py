"""How far is each stage? Decided by what lies in the hub, by content, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ptyrun.errors import ForeignFileError
from ptyrun.host import locks
from ptyrun.host.typed_json import parse_any
from ptyrun.study.contents import Contents
from ptyrun.study.graph import Graph
from ptyrun.study.record import Attempt, Record
from ptyrun.study.stage import Stage

MISSING = "missing"
_SHOWN = 12  # of a digest


class State(StrEnum):
    """What can be said of a stage."""

    DONE = "done"
    PENDING = "pending"
    RUNNING = "running"
    STALE = "stale"
    FAILED = "failed"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Fact:
    """Something that a stage's outputs depend on and that is not what it was."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name}: {self.old} -> {self.new}"


@dataclass(frozen=True)
class Standing:
    """How far one stage is, and why.

    ``changed`` is what makes it stale; ``waits_for`` are stages that it needs and that are not
    done; ``facts`` digests what it would be made from now, empty while that is not known.
    ``is_new`` says that this process has made it.
    """

    stage: Stage
    state: State
    why: str = ""
    changed: tuple[Fact, ...] = ()
    waits_for: tuple[str, ...] = ()
    facts: str = ""
    inputs: Mapping[str, str] | None = None
    record: Record | None = None
    attempt: Attempt | None = None
    is_new: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it can be begun now."""
        is_open = self.state in (State.PENDING, State.STALE, State.FAILED)
        return is_open and not self.waits_for


def survey(
    graph: Graph, contents: Contents | None = None, *, mine: str = ""
) -> dict[str, Standing]:
    """Tell of every stage how far it is.

    Parameters
    ----------
    graph : Graph
    contents : Contents, optional
    mine : str
        Key of the stage that this process has locked.

    Returns
    -------
    dict
        By key, in the graph's order.
    """
    found: dict[str, Standing] = {}
    for stage in graph.stages:
        is_mine = stage.key == mine
        look = _Look(graph, stage, found, contents or Contents(), is_mine=is_mine)
        found[stage.key] = look.standing()
    return found


class _Look:
    """One stage, seen after those that it needs."""

    def __init__(
        self,
        graph: Graph,
        stage: Stage,
        before: Mapping[str, Standing],
        contents: Contents,
        *,
        is_mine: bool,
    ) -> None:
        self._graph, self._stage, self._before = graph, stage, before
        self._contents = contents
        # Before the records: a process that lets go between has written its own by then.
        self._holder = "" if is_mine else holder_of(graph.hub.stage_lock(stage.key))
        self._record = Record.find_sound(stage.record(graph.hub))
        self._attempt = Attempt.find_sound(stage.attempt(graph.hub))

    def standing(self) -> Standing:
        """Tell of a stage that a process holds whether it has to make it, or came too late."""
        if self._holder and self._record is None:
            return self._said(State.RUNNING, self._holder, self._waits_for)
        found = self._by_content()
        if self._holder and found.state is not State.DONE:
            return self._said(State.RUNNING, self._holder, self._waits_for)
        return found

    def _by_content(self) -> Standing:
        needs, waits_for = self._needs, self._waits_for
        stuck = [each for each in needs if each.state in (State.FAILED, State.BLOCKED)]
        if stuck:
            names = ", ".join(each.stage.key for each in stuck)
            return self._said(State.BLOCKED, f"it needs {names}", waits_for)
        inputs = dict(self._inputs(waits_for))
        if absent := [name for name, digest in inputs.items() if digest == MISSING]:
            paths = {each.name: each.path for each in self._stage.inputs}
            why = ", ".join(f"{_spoken(name)} is missing ({paths[name]})" for name in absent)
            return self._said(State.BLOCKED, why, waits_for)
        if waits_for:
            state = State.PENDING if self._record is None else State.STALE
            return self._said(state, f"waits for {', '.join(waits_for)}", waits_for)
        facts = self._stage.facts(inputs)
        changed = tuple(self._changes(inputs))
        if self._record is not None and not changed:
            return Standing(
                self._stage, State.DONE, record=self._record, facts=facts, inputs=inputs
            )
        attempt = self._attempt
        if attempt is not None and attempt.error and attempt.facts == facts:
            return self._said(State.FAILED, attempt.error, (), changed, facts, inputs)
        state = State.PENDING if self._record is None else State.STALE
        return self._said(state, "; ".join(map(str, changed)), (), changed, facts, inputs)

    @property
    def _needs(self) -> list[Standing]:
        return [self._before[key] for key in self._graph.needs(self._stage)]

    @property
    def _waits_for(self) -> tuple[str, ...]:
        return tuple(each.stage.key for each in self._needs if each.state is not State.DONE)

    def _said(
        self,
        state: State,
        why: str,
        waits_for: tuple[str, ...],
        changed: tuple[Fact, ...] = (),
        facts: str = "",
        inputs: Mapping[str, str] | None = None,
    ) -> Standing:
        return Standing(
            self._stage, state, why, changed, waits_for, facts, inputs, self._record, self._attempt
        )

    def _inputs(self, waits_for: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """SHA-256 of the inputs, but for those that are still to be made."""
        for each in self._stage.inputs:
            maker = self._graph.makers.get(each.name)
            if maker in waits_for:
                continue
            record = None if maker is None else self._before[maker].record
            if record is not None:
                yield each.name, record.outputs[each.name]
            else:
                expected = "" if self._record is None else self._record.inputs.get(each.name, "")
                # What a user names may be reached through a link.
                path = each.path.resolve()
                seen = self._seen(each.name)
                yield each.name, self._contents.digest(path, expected, seen) or MISSING

    def _changes(self, inputs: Mapping[str, str]) -> Iterator[Fact]:
        if self._record is None:
            return
        yield from _differences("", self._record.parameters, self._stage.parameters, _value)
        yield from _differences("input ", self._record.inputs, inputs, _digest)
        outputs = {
            name: self._digest_of(name, self._record.outputs.get(name, ""))
            for name in self._stage.outputs
        }
        yield from _differences("output ", self._record.outputs, outputs, _digest)
        if self._stage.workspace:
            yield from self._lost_chunks(self._record)

    def _lost_chunks(self, record: Record) -> Iterator[Fact]:
        from ptyrun.study import run_notes

        lost = run_notes.incomplete(self._graph.hub, self._stage, record.notes_at)
        if lost:
            yield Fact(f"comparison {self._stage.workspace}", "complete", lost)

    def _seen(self, name: str) -> str:
        return "" if self._record is None else self._record.seen_at.get(name, "")

    def _digest_of(self, name: str, expected: str) -> str:
        try:
            path, seen = self._graph.hub.path(name), self._seen(name)
            return self._contents.digest(path, expected, seen) or MISSING
        except ForeignFileError as error:
            return error.what.rpartition(" is ")[2]


def _differences(
    what: str, old: Mapping[str, str], new: Mapping[str, str], shown: object
) -> Iterator[Fact]:
    assert callable(shown)
    for name in dict.fromkeys([*old, *new]):
        before, now = old.get(name, MISSING), new.get(name, MISSING)
        if before != now:
            yield Fact(f"{what}{name}", shown(before), shown(now))


def _spoken(name: str) -> str:
    """Name an input in a sentence: a ready file has a number alone."""
    return "a ready file" if name.startswith("ready ") else name


def _value(text: str) -> str:
    try:
        return str(parse_any(text))
    except ValueError:
        return text


def _digest(text: str) -> str:
    return text[:_SHOWN]


def holder_of(lock: Path) -> str:
    """Say which process holds a lock; empty if none does."""
    if not locks.is_held(lock):
        return ""
    return str(locks.holder_of(lock) or "a process that has not said who it is")
