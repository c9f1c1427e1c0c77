"""How do tests make small studies, in this process, and compare their hubs?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ptyrun.config.study import Split, StudyOptions, View
from ptyrun.engine.window import Window
from ptyrun.study.graph import Graph
from ptyrun.study.hub import ATTEMPT, RECORD
from ptyrun.study.making import make
from ptyrun.study.others import OtherStage
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey
from ptyrun.study.works import work_of

N_IMAGES, SIDE_PX = 40, 16
OBJECT_PX = (60, 56)


def write_base(path: Path, *, seed: int = 1, n_images: int = N_IMAGES) -> Path:
    """Write object, probe and positions that a study can begin with."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(0.5, 1, OBJECT_PX) * np.exp(1j * rng.uniform(0, 1, OBJECT_PX))
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX // 2
    probe = np.exp(-(y**2 + x**2) / 18) * np.exp(0.1j * (y**2 + x**2))
    positions = rng.uniform(10, 40, (2, n_images))
    np.savez(
        path,
        objectGuess=image.astype(np.complex64),
        probeGuess=probe.astype(np.complex64),
        xcoords=positions[0],
        ycoords=positions[1],
    )
    return path


def small_study(folder: Path, *others: OtherStage, **options: Any) -> Study:
    """One dose, one view, both halves, unless *options* say other."""
    folder.mkdir(exist_ok=True)
    base = folder / "base.npz"
    if "base_npz" not in options and not base.exists():
        write_base(base)
    chosen = {
        "hub": folder / "hub",
        "base_npz": base,
        "doses": (1000.0,),
        "views": (View.DENSE,),
        "splits": tuple(Split),
        "n_groups": 8,
        "neighbor_count": 5,
        "name": "small",
    }
    return Study(StudyOptions(**{**chosen, **options}), others)


def changed(study: Study, **options: Any) -> Study:
    """The same study with other options."""
    return Study(replace(study.options, **options), study.others)


def make_all(stages: Graph) -> list[str]:
    """Make what is not done, in this process; the keys that were made."""
    made = []
    while ready := [each for each in survey(stages).values() if each.is_ready]:
        make(stages, ready[0].stage.key, Window(), work_of)
        made.append(ready[0].stage.key)
    return made


def done(study: Study) -> Graph:
    """Make a study."""
    stages = graph(study)
    make_all(stages)
    assert {each.state for each in survey(stages).values()} == {State.DONE}
    return stages


def states(stages: Graph) -> dict[str, State]:
    """The state of each stage."""
    return {key: each.state for key, each in survey(stages).items()}


def contents(hub: Path) -> dict[str, Any]:
    """What a hub holds, by path: times and durations of records apart, and logs and locks."""
    return dict(_contents(hub))


def _contents(hub: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(hub.rglob("*")):
        name = path.relative_to(hub).as_posix()
        if path.is_dir() or name.split("/")[0] in ("cli", "locks") or name == "study.json":
            continue
        data = path.read_bytes().replace(str(hub.absolute()).encode(), b"HUB")
        if name.endswith((RECORD, ATTEMPT)):
            document = json.loads(data)
            for key in (
                "made_at",
                "duration_s",
                "sha256",
                "begun_at",
                "seen_at",
                "log_at",
                "notes_at",
            ):
                document.pop(key, None)
            # The list of doses names the hub's folder.
            if name.endswith("manifest.stage.json"):
                document.pop("outputs")
            yield name, document
        else:
            yield name, data
