"""Do positions, halves and overlap views of upstream's own stages come out again?"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.ptycho.geometry.overlap import kept_images
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.simulation.positions import simulated_positions
from ptyrun.study import overlap_metrics, split_positions
from ptyrun.study.history import MEMBER, History
from ptyrun.study.selection import select_frames


@pytest.mark.parametrize("view", ["dense", "sparse", "defaults_gs2"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_view_of_upstreams_comes_out_again(golden: Path, view: str, split: str) -> None:
    folder = golden / "study" / "phase_d"
    words: dict[str, Any] = json.loads((folder / "runs.json").read_text())[view]["parameters"]
    source = NpzFile(folder / "phase_c" / f"patched_{split}.npz")
    arrays = {name: source.array(name) for name in source.names if name != MEMBER}
    positions = np.column_stack([arrays["ycoords"], arrays["xcoords"]])
    found = dict(overlap_metrics(positions, **words))
    expected = json.loads((folder / view / f"{split}_metrics.json").read_text())
    assert list(found) == list(expected)
    # Upstream's views give the number of images that are kept as that of all.
    n_kept = expected.pop("n_images_total")
    assert found.pop("n_images_total") == len(positions) >= n_kept
    for name, value in expected.items():
        is_number = isinstance(value, float)
        expected_value = pytest.approx(value, rel=1e-15, abs=1e-12) if is_number else value
        assert found[name] == expected_value, name

    kept = kept_images(len(positions), words["s_img"], words.get("rng_seed_subsample", 42))
    theirs = NpzFile(folder / view / f"{split}.npz")
    for name, array in select_frames(arrays, kept, len(positions)).items():
        other = theirs.array(name)
        if array.shape == () != other.shape:  # one value, that upstream repeats for every frame
            assert set(other.tolist()) == {array.item()}
        else:
            assert np.array_equal(array, other), name
    facts = History.of(theirs).facts
    assert facts["geometry_acceptance_bound"] == expected["geometry_acceptance_bound"]


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_the_positions_of_upstreams_simulation_and_their_halves_come_out_again(
    golden: Path,
) -> None:
    known = json.loads((golden / "study" / "phase_c" / "chain.json").read_text())["files"]
    raw = known["dose_1000/simulated_raw.npz"]["arrays"]
    shape, probe = (tuple(raw[name]["shape"]) for name in ("objectGuess", "probeGuess"))
    n_positions = raw["xcoords"]["shape"][0]
    seed = known["dose_1000/simulated_raw.npz"]["metadata"]["additional_parameters"]["seed"]
    positions = simulated_positions(shape, probe, n_positions, seed)
    halves = dict(zip(("train", "test"), split_positions(positions[:, 0]), strict=True))
    for axis, name in enumerate(("ycoords", "xcoords")):
        assert digest(positions[:, axis]) == raw[name]["sha256"]
        for split, frames in halves.items():
            half = known[f"dose_1000/patched_{split}.npz"]["arrays"][name]
            assert digest(positions[frames, axis]) == half["sha256"]
