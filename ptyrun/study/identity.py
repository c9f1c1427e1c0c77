"""Which study does a hub belong to, and with which options was it last worked on?"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from ptyrun.config.options import entries
from ptyrun.config.study import StudyOptions
from ptyrun.errors import IdentityError, UsageError
from ptyrun.host import durable
from ptyrun.host.documents import Document, canonical_json
from ptyrun.host.typed_json import parse
from ptyrun.study.hub import Hub


@dataclass(frozen=True)
class HubStudy(Document):
    """Content of ``study.json``: the study's name, and its options as they were last said.

    ``options`` are canonical JSON by name. Paths are as they were given, absolute.
    """

    NAME: ClassVar[str] = "study.json"
    SCHEMA: ClassVar[int] = 1
    REMEDY: ClassVar[str] = "delete it; `ptyrun study run` with all options writes it again"

    name: str
    options: Mapping[str, str]

    def check(self) -> None:
        """Raise ValueError where the text of an option is not JSON."""
        for name, text in self.options.items():
            try:
                parse(text)
            except ValueError as error:
                raise ValueError(f"its option {name} is not JSON: {error}") from error

    def given(self) -> dict[str, Any]:
        """The options by name, as a file would give them.

        Raises
        ------
        UsageError
            If one of them is none.
        """
        known = {entry.name: entry for entry in entries(StudyOptions)}
        return {
            name: known[name].read(parse(text))
            for name, text in self.options.items()
            if name in known
        }


def of_hub(hub: Hub) -> HubStudy | None:
    """Read which study lies in a hub; None if no word of one is there."""
    return HubStudy.find(hub.study)


def named(options: StudyOptions, hub: Hub) -> StudyOptions:
    """Give the options with the study's name, as the hub has it or after its folder.

    Raises
    ------
    IdentityError
        If the hub belongs to a study of another name.
    """
    found = of_hub(hub)
    if found is None:
        return replace(options, name=options.name or hub.root.absolute().name)
    if options.name not in (None, found.name):
        raise IdentityError(
            f"the hub {hub.root} belongs to the study {found.name!r}, not to {options.name!r}",
            why="one hub holds one study: two would overwrite each other's files",
            do=f"give another --hub, or --name {found.name} if it is the same study",
        )
    return replace(options, name=found.name)


def keep(options: StudyOptions, hub: Hub) -> None:
    """Write down the study and its options; a hub that says so already is left alone."""
    said = _said(options)
    document = HubStudy(str(options.name), said)
    if of_hub(hub) != document:
        durable.make_folder(hub.root)
        document.save(hub.study)


def _said(options: StudyOptions) -> dict[str, str]:
    defaults = {field.name: field.default for field in fields(StudyOptions)}
    return {
        entry.name: canonical_json(_plain(value))
        for entry in entries(StudyOptions)
        for value in [getattr(options, entry.field)]
        if entry.field not in ("hub", "name") and value != defaults[entry.field]
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    return list(value) if isinstance(value, tuple) else value


def require_some(options: StudyOptions) -> None:
    """See that there is a hub to look at; raises UsageError if there is none."""
    if not options.hub.is_dir():
        raise UsageError(
            f"there is no hub {options.hub}",
            why="no such folder",
            do="correct --hub; `ptyrun study run` makes a new one",
        )
    from ptyrun.comparison.run import Run

    if not Hub(options.hub).study.is_file() and Run(options.hub).paths.manifest.is_file():
        raise UsageError(
            f"{options.hub} is not a hub",
            why="it is the folder of one comparison",
            do=f"look at it with `{shlex.join(['ptyrun', 'status', str(options.hub)])}`",
        )


def differences(options: StudyOptions, hub: Hub) -> list[str]:
    """Say which options, apart from those that select stages, the hub was last given otherwise."""
    found = of_hub(hub)
    if found is None:
        return []
    before, now = found.options, _said(options)
    said = []
    for entry in entries(StudyOptions):
        if entry.field not in ("doses", "views", "splits", "upto") and entry.name in {
            **before,
            **now,
        }:
            old, new = before.get(entry.name, "default"), now.get(entry.name, "default")
            if old != new:
                said.append(f"{entry.word} is {old} there and {new} here")
    return said
