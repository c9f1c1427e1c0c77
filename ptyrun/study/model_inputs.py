"""Which files does a comparison read as its model? What other stages make in the model's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from ptyrun.models.files import CARD_NAME
from ptyrun.models.kinds import SUFFIXES
from ptyrun.study.hub import Hub
from ptyrun.study.stage import Input, Stage


def with_models(hub: Hub, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Put the files that stages make into the place of folders; a folder that no stage fills stays.

    A model's file has the name that its trainer gives it, so that a comparison cannot know it.
    """
    made = {name for stage in stages for name in stage.outputs}
    return tuple(
        replace(stage, inputs=tuple(_files(hub, stage, made)))
        if any(each.is_folder for each in stage.inputs)
        else stage
        for stage in stages
    )


def _files(hub: Hub, stage: Stage, made: set[str]) -> Iterator[Input]:
    for each in stage.inputs:
        inside = sorted(name for name in made if _is_model(name, each.name))
        if each.is_folder and inside:
            yield from (Input(name, hub.path(name), each.role) for name in inside)
        else:
            yield each


def _is_model(name: str, folder: str) -> bool:
    """Whether an output is of the model, and not beside it, like a picture of its losses."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    is_model = path.name == CARD_NAME or suffix in SUFFIXES or not suffix
    return (is_model and PurePosixPath(folder) in path.parents) or name == folder
