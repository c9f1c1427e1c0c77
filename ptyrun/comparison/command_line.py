"""Which options, and which command, make a run again?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ptyrun.comparison import request
from ptyrun.comparison.model_facts import ModelFacts
from ptyrun.comparison.run import Run
from ptyrun.comparison.sources import Sources
from ptyrun.config import ROLES, ArmConfig, ArmKind, Fact, role_gridsize
from ptyrun.config.options import Entry, keys, name_of
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import UsageError


def repeating(manifest: Manifest, output_dir: Path) -> dict[str, Any]:
    """Give what describes the comparison of *manifest*, by the options' names.

    Options that are as configured by default are left out, but for chunk and batch sizes; and so is
    trust in models, which only a person can say.
    """
    paths = Sources.of(manifest).arms
    roles = {arm.name: _settings(arm, paths) for arm in manifest.arms if _has_role(arm)}
    shared = {**manifest.shared, **manifest.sources, "output_dir": str(output_dir)}
    given: dict[str, Any] = {}
    for entry in request.options():
        value = (roles.get(entry.role, {}) if entry.role else shared).get(entry.field)
        if value is None or value == entry.default:
            continue
        if entry.option.switches:
            for switch in entry.option.switches:
                if switch.means == value:
                    given[name_of(switch.word)] = True
        else:
            given[entry.name] = value
    further = [_keys(arm, paths) for arm in manifest.arms if not _has_role(arm)]
    return {**given, request.ARM: further} if further else given


def compare_command(manifest: Manifest, run_dir: Path) -> str:
    """Write the ``ptyrun compare`` that plans just this manifest, for a shell.

    It hands out no trust. Where an arm cannot be spelt on a command line, or has code that such a
    word would run (a ``factory``), it names the file that says the same, and for which trust is
    asked.
    """
    given = repeating(manifest, run_dir)
    try:
        if any(_names_code(arm) for arm in manifest.arms):
            raise UsageError("a factory", why="it would be imported", do="use a file")
        words = [word for entry in request.options() for word in _words(entry, given)]
    except UsageError:
        words = [["--config", str(Run(run_dir).paths.config)]]
    lines = ["ptyrun compare", *(shlex.join(option) for option in words)]
    return " \\\n  ".join(lines)


def _names_code(arm: ArmPlan) -> bool:
    return arm.kind != ArmKind.RECONSTRUCTION and bool(ModelFacts.of(arm).options)


def _words(entry: Entry, given: Mapping[str, Any]) -> Iterator[list[str]]:
    if entry.name == request.ARM:
        for words in given.get(entry.name, ()):
            yield [entry.word, _arm_text(words)]
    elif entry.option.switches:
        names = [switch.word for switch in entry.option.switches]
        yield from ([word] for word in names if given.get(name_of(word)))
    elif entry.name in given:
        yield entry.words(given[entry.name])


def _arm_text(words: Mapping[str, Fact]) -> str:
    text = ",".join(f"{key}={value}" for key, value in words.items())
    if request.arm_words(text) != {key: str(value) for key, value in words.items()}:
        raise UsageError(text, why="it would be read as something else", do="use a file")
    return text


def _has_role(arm: ArmPlan) -> bool:
    """Whether the options of its role say all of it."""
    if arm.kind == ArmKind.RECONSTRUCTION:
        return arm.name == request.RECONSTRUCTION
    return (
        bool(arm.label)
        and ROLES.get(arm.name) == arm.label
        and ModelFacts.of(arm).gridsize == role_gridsize(arm.name)
        and not ModelFacts.of(arm).options
    )


def _settings(arm: ArmPlan, paths: Mapping[str, Path]) -> dict[str, Fact]:
    """Give an arm's settings by the names of their fields."""
    return {**arm.facts, "path": str(paths[arm.name]), "chunk_groups": arm.chunk_items}


def _keys(arm: ArmPlan, paths: Mapping[str, Path]) -> dict[str, Fact]:
    """Give what ``--arm`` is told of an arm, by its keys."""
    path = str(paths[arm.name])
    if arm.kind == ArmKind.RECONSTRUCTION:
        return {"name": arm.name, request.RECONSTRUCTION: path, "label": arm.label}
    settings = {**_settings(arm, paths), "name": arm.name, "label": arm.label}
    known = {
        key: settings[entry.field]
        for key, entry in keys(ArmConfig).items()
        if key != request.RECONSTRUCTION and settings.get(entry.field) is not None
    }
    return {**known, **ModelFacts.of(arm).options}
