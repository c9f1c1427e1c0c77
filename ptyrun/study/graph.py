"""Which stages make a study, and which of them need which?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import PurePosixPath

from ptyrun.errors import UsageError, nearest, refuse_unknown
from ptyrun.host.regular import below, refuse_foreign
from ptyrun.study.hub import Hub
from ptyrun.study.stage import Stage


@dataclass(frozen=True)
class Graph:
    """The stages of a study, each after those that it needs.

    Raises
    ------
    UsageError
        If two stages write the same file or have the same key, or need each other.
    """

    hub: Hub
    stages: tuple[Stage, ...]

    @classmethod
    def of(cls, hub: Hub, stages: Iterable[Stage]) -> Graph:
        """Order *stages*; those that need nothing of each other stay as they are given."""
        given = {stage.key: stage for stage in _unique(stages)}
        makers = _makers(given.values())
        needs = {
            key: [makers[each.name] for each in stage.inputs if each.name in makers]
            for key, stage in given.items()
        }
        try:
            order = [*TopologicalSorter(needs).static_order()]
        except CycleError as error:
            raise UsageError(
                "stages of the study need each other: " + " -> ".join(error.args[1][::-1]),
                why="each would have to be made before the other",
                do="correct the inputs and outputs of these stages",
            ) from error
        depth: dict[str, int] = {}
        for key in order:
            depth[key] = 1 + max((depth[each] for each in needs[key]), default=0)
        return cls(hub, tuple(sorted(given.values(), key=lambda stage: depth[stage.key])))

    @cached_property
    def by_key(self) -> dict[str, Stage]:
        """The stages by key."""
        return {stage.key: stage for stage in self.stages}

    @cached_property
    def makers(self) -> dict[str, str]:
        """Which stage makes which file below the hub."""
        return _makers(self.stages)

    def require_plain(self) -> None:
        """See that no folder of the hub in which stages write is a link that leads elsewhere.

        Raises
        ------
        ForeignFileError
            If one is.
        """
        hub = self.hub
        for folder in (hub.locks, hub.archive, hub.log("").parent, hub.sessions):
            refuse_foreign(folder)
        for name in {str(PurePosixPath(name).with_name("x")) for name in self.makers}:
            below(hub.root, name)

    def needs(self, stage: Stage) -> tuple[str, ...]:
        """Keys of the stages whose outputs *stage* reads, each once."""
        found = (self.makers.get(each.name) for each in stage.inputs)
        return tuple(dict.fromkeys(key for key in found if key is not None))

    def upto(self, key: str) -> Graph:
        """Give the part that leads to one stage, and that stage."""
        return self._leading_to({key})

    def only(self, names: Collection[str]) -> Graph:
        """Give the part that leads to the stages of these names or kinds; all if none is named.

        Raises
        ------
        UsageError
            If there is no such stage.
        """
        kinds = (stage.stands_for for stage in self.stages)
        known = [*dict.fromkeys(chain(kinds, (stage.key for stage in self.stages)))]
        refuse_unknown(names, known, "--only {}: there is no such stage")
        chosen = {s.key for s in self.stages if not {s.key, s.stands_for}.isdisjoint(names)}
        return self._leading_to(chosen) if names else self

    def _leading_to(self, wanted: set[str]) -> Graph:
        for stage in reversed(self.stages):
            if stage.key in wanted:
                wanted.update(self.needs(stage))
        return Graph(self.hub, tuple(each for each in self.stages if each.key in wanted))

    def find(self, key: str) -> Stage:
        """Give one stage; raises UsageError if there is none of that key."""
        if key not in self.by_key:
            raise UsageError(
                f"no stage is called {key!r}",
                why=f"the study has {len(self.stages)} stages{nearest(key, self.by_key)}",
                do="use one that `ptyrun study plan` lists",
            )
        return self.by_key[key]


def _unique(stages: Iterable[Stage]) -> Iterator[Stage]:
    seen: set[str] = set()
    for stage in stages:
        if stage.key in seen:
            raise UsageError(
                f"two stages are called {stage.key!r}",
                why="a stage is known by its name",
                do="rename one of them",
            )
        seen.add(stage.key)
        yield stage


def _makers(stages: Iterable[Stage]) -> dict[str, str]:
    makers: dict[str, str] = {}
    for stage in stages:
        for name in stage.outputs:
            if name in makers:
                raise UsageError(
                    f"{name} is made by two stages: {makers[name]} and {stage.key}",
                    why="each output belongs to one stage",
                    do="give one of them another output, or the same name to replace it",
                )
            makers[name] = stage.key
    return makers
