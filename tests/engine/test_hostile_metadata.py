"""Are metadata of arrays that are none named as damage, and never a traceback?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.engine.index_arrays import IndexArray, read_index, write_index
from ptyrun.errors import DamageError
from ptyrun.paths import RunPaths

PATH = "index/pinn/frames"


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    paths = RunPaths(tmp_path)
    index = IndexArray(PATH, np.arange(12).reshape(3, 4), ["group", "member"], "1")
    digest = write_index(paths, index)
    assert (read_index(paths, PATH, digest) == index.values[:]).all()
    return paths


METADATA: dict[str, Callable[[dict[str, Any]], object]] = {
    "attributes are a number": lambda d: d.update(attributes=3),
    "a fill beyond 64 bits": lambda d: d.update(fill_value=10**30),
    "a huge shape": lambda d: (
        d.update(shape=[2**25] * 2),
        d["chunk_grid"]["configuration"].update(chunk_shape=[2**25] * 2),
    ),
    "names that are a number": lambda d: d.update(dimension_names=3),
    "no shape": lambda d: d.pop("shape"),
    "codecs that are none": lambda d: d.update(codecs=[3]),
}


@pytest.mark.parametrize("how", METADATA)
def test_metadata_that_no_plan_writes_are_damage(paths: RunPaths, how: str) -> None:
    place = paths.arrays / PATH / "zarr.json"
    document = json.loads(place.read_text())
    METADATA[how](document)
    place.write_text(json.dumps(document))
    with pytest.raises(DamageError):
        read_index(paths, PATH, "0" * 64)


@pytest.mark.parametrize("text", ["[" * 100_000, "", "3", "{}", "NaN"])
def test_metadata_that_are_none_are_damage(paths: RunPaths, text: str) -> None:
    (paths.arrays / PATH / "zarr.json").write_text(text)
    with pytest.raises(DamageError):
        read_index(paths, PATH, "0" * 64)
