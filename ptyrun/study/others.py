"""How does a stage of somebody else's take its place in a study?

A command with declared inputs and outputs, or ready files that stand in for a stage. ``{dose}``,
``{view}``, ``{split}``, ``{hub}`` and ``{here}`` (the folder of study.toml) stand for their values;
what uses one of the first three is a stage for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path, PurePosixPath

from ptyrun.config.study import StudyOptions
from ptyrun.errors import UsageError
from ptyrun.host.documents import canonical_json
from ptyrun.study.hub import Hub
from ptyrun.study.stage import STANDS_FOR, Input, Stage
from ptyrun.texts import counted

AXES = ("dose", "view", "split")
READY = "ready"
INTERMEDIATE = ("simulate", "canonicalise", "patch")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_HOLE = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True)
class OtherStage:
    """One ``[[stage]]`` of study.toml.

    Parameters
    ----------
    name : str
        That of a stage of ptyrun, or of one kind of them, replaces these.
    command : tuple of str
        What is run, without a shell.
    inputs, outputs : tuple of str
        Paths below the hub; inputs from elsewhere are absolute, or begin with ``{here}``.
    files : tuple of str
        Instead of a command: a ready file for each output.
    parameters : mapping
        What the outputs depend on besides; a change makes the stage stale.
    here : Path
        Folder of study.toml.
    place : str
        File and line, for messages.
    """

    name: str
    command: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    here: Path = Path()
    place: str = field(default="study.toml", compare=False)

    def axes(self) -> tuple[str, ...]:
        """Of what it has one stage for each."""
        texts = (self.name, *self.command, *self.inputs, *self.outputs, *self.files)
        used = {hole for text in texts for hole in _HOLE.findall(text)}
        return tuple(axis for axis in AXES if axis in used)


def placed(
    hub: Hub, options: StudyOptions, built_in: Sequence[Stage], others: Iterable[OtherStage]
) -> tuple[Stage, ...]:
    """Give all stages: ptyrun's own, those that replace some of them, and further ones.

    Raises
    ------
    UsageError
        If one of the others says something that cannot be done.
    """
    stages = {stage.key: stage for stage in built_in}
    read = {each.name for stage in built_in for each in stage.inputs}
    further: list[Stage] = []
    for other in others:
        replaced = [each for each in built_in if other.name in (each.kind, each.key)]
        for stage in replaced:
            stages[stage.key] = _made(hub, other, stage.axes, stage, read)
        if not replaced:
            further += _each(hub, options, other, stages, read)
    return _needed((*stages.values(), *further))


def _needed(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Leave out what only led to stages that are replaced."""
    while True:
        read = {each.name for stage in stages for each in stage.inputs}
        left = tuple(
            stage
            for stage in stages
            if stage.kind not in INTERMEDIATE or read.intersection(stage.outputs)
        )
        if len(left) == len(stages):
            return left
        stages = left


def _each(
    hub: Hub,
    options: StudyOptions,
    other: OtherStage,
    stages: dict[str, Stage],
    read: Collection[str],
) -> Iterator[Stage]:
    """Give a stage for each value that it names; one of a name that is known takes that place."""
    values: dict[str, Sequence[str]] = {
        "dose": [f"{dose:.0f}" for dose in options.doses],
        "view": options.views,
        "split": options.splits,
    }
    axes = other.axes()
    for chosen in product(*(values[axis] for axis in axes)):
        here = dict(zip(axes, map(str, chosen), strict=True))
        key = _HOLE.sub(lambda match: here.get(match[1], match[0]), other.name)  # noqa: B023
        if key in stages:
            stages[key] = _made(hub, other, stages[key].axes, stages[key], read)
        else:
            yield _made(hub, other, here, None)


def _made(
    hub: Hub,
    other: OtherStage,
    axes: Mapping[str, str],
    stage: Stage | None,
    read: Collection[str] = (),
) -> Stage:
    words = {**axes, "hub": str(hub.root.absolute()), "here": str(other.here.absolute())}

    def filled(text: str, what: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] in words:
                return words[match[1]]
            if what == "command":  # braces mean something in many languages
                return match[0]
            known = ", ".join(f"{{{word}}}" for word in words)
            raise _refusal(other, f"{what} {text!r} names {match[0]}", f"it may name {known}")

        return _HOLE.sub(value, text)

    if stage is None:
        missing = [axis for axis in axes if f"{{{axis}}}" not in other.name]
        name = "-".join([filled(other.name, "name"), *(axes[axis] for axis in missing)])
        outputs = tuple(filled(text, "output") for text in other.outputs)
    else:
        name, needed = stage.key, [each for each in stage.outputs if each in read]
        outputs = tuple(filled(text, "output") for text in other.outputs) or stage.outputs
        if not set(needed) <= {*outputs}:
            why = f"{name} makes {', '.join(needed)}, which other stages read"
            raise _refusal(other, f"it replaces {name} with other outputs", why)
    if not _KEY.fullmatch(name):
        raise _refusal(other, f"{name!r} is not a name", "use letters, digits, dots and dashes")
    _require_outputs(other, outputs)
    _require_work(other, outputs)
    texts = other.inputs or (() if stage is None or other.files else None)
    inputs = (
        stage.inputs
        if texts is None and stage is not None
        else tuple(_input(hub, other, text, filled(text, "input")) for text in texts or ())
    )
    ready = tuple(
        Input(f"{READY} {i}", Path(filled(text, "file"))) for i, text in enumerate(other.files)
    )
    command = tuple(filled(word, "command") for word in other.command)
    kind = READY if other.files else name if stage is None else stage.kind
    # Hub and study.toml may move: the words count as they are written.
    said = {"command": canonical_json(list(other.command))} if command else {}
    if other.files:
        said[STANDS_FOR] = canonical_json(name if stage is None else stage.kind)
    parameters = {key: canonical_json(value) for key, value in other.parameters.items()}
    return Stage(
        name,
        kind,
        (*inputs, *ready),
        outputs,
        {**parameters, **axes_said(axes), **said},
        axes,
        command,
        other.here,
    )


def axes_said(axes: Mapping[str, str]) -> dict[str, str]:
    """Dose, view and split as parameters of a stage."""
    return {axis: canonical_json(value) for axis, value in axes.items()}


def _input(hub: Hub, other: OtherStage, said: str, text: str) -> Input:
    path = Path(text)
    if path.is_absolute():
        return Input(said, path)
    if ".." in PurePosixPath(text).parts:
        why = "a relative path is one below the hub; {here} is the folder of study.toml"
        raise _refusal(other, f"input {text!r} leads out of the hub", why)
    return Input(str(PurePosixPath(text)), hub.path(text))


def _require_outputs(other: OtherStage, outputs: Sequence[str]) -> None:
    if not outputs:
        raise _refusal(other, "it has no outputs", "a stage is done when its outputs are there")
    for text in outputs:
        parts = PurePosixPath(text).parts
        if PurePosixPath(text).is_absolute() or ".." in parts or not parts or "\0" in text:
            raise _refusal(other, f"output {text!r} is not below the hub", "all outputs are")
        if str(PurePosixPath(text)) != text or parts[0] in ("locks", "archive", "cli"):
            raise _refusal(other, f"output {text!r} cannot be used", "write data/..., without //")


def _require_work(other: OtherStage, outputs: Sequence[str]) -> None:
    if bool(other.command) == bool(other.files):
        raise _refusal(
            other,
            "it has neither a command nor files"
            if not other.command
            else "it has both a command and files",
            "a stage has one of them",
        )
    if other.files and len(other.files) != len(outputs):
        why = f"its outputs are {', '.join(outputs)}"
        raise _refusal(
            other,
            f"it has {counted(len(other.files), 'file')} for {counted(len(outputs), 'output')}",
            why,
        )


def _refusal(other: OtherStage, what: str, why: str) -> UsageError:
    return UsageError(
        f"{other.place}, stage {other.name!r}: {what}", why=why, do="correct this stage"
    )


def with_base(stages: tuple[Stage, ...], role: str, base: Path | None) -> tuple[Stage, ...]:
    """Give the stages that read the base its path.

    Raises
    ------
    UsageError
        If there is none, and a stage reads it.
    """
    found = []
    for stage in stages:
        if any(each.name == role for each in stage.inputs):
            if base is None:
                raise UsageError(
                    "there is nothing to simulate",
                    why="a study starts from a base file's object and probe, or from ready data",
                    do="give --base-npz FILE, or ready files for the stage split in study.toml",
                )
            inputs = tuple(
                Input(role, base) if each.name == role else each for each in stage.inputs
            )
            stage = replace(stage, inputs=inputs)
        found.append(stage)
    return tuple(found)
