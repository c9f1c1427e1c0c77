from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ptyrun.study.selection import has_row_per_frame, select_frames, split_step

FIVE = {
    "diffraction": np.arange(20.0).reshape(5, 2, 2),
    "xcoords": np.arange(5.0),
    "dose": np.array(1000.0),
    "rng_seed": np.array(42),
    "name": np.array("abc"),
    "objectGuess": np.ones((5, 7), np.complex64),
    "square5": np.ones((5, 5)),
    "Y": np.ones((1, 2, 2, 1)),
}


def test_frames_are_kept_and_what_belongs_to_the_scan_stays() -> None:
    found = select_frames(FIVE, np.array([0, 2, 4]), 5)
    assert found["xcoords"].tolist() == [0, 2, 4]
    assert found["diffraction"].shape == (3, 2, 2)
    assert found["square5"].shape == (3, 5)
    for name in ("dose", "rng_seed", "name", "objectGuess", "Y"):
        assert found[name] is FIVE[name]


def test_filter_dataset_by_mask_handles_scalar_metadata(golden: Path) -> None:
    """Upstream's selector: single values survive the filter. Upstream repeats them per frame."""
    known = json.loads((golden / "study" / "phase_c" / "filter_zero_d.json").read_text())
    kept = np.flatnonzero(known["mask"])
    arrays = {
        name: np.zeros(tuple(each["shape"]), each["dtype"])
        for name, each in known["in"].items()
        if name not in ("_metadata", "plain_float")
    }
    found = select_frames(arrays, kept, 5)
    for name, array in found.items():
        theirs = tuple(known["out"][name]["shape"])
        if known["in"][name]["shape"]:
            assert array.shape == theirs, name
        else:
            assert (array.shape, theirs) == ((), (3,)), name


def test_an_object_with_as_many_rows_as_frames_is_not_cut(golden: Path) -> None:
    known = json.loads((golden / "study" / "phase_c" / "split.json").read_text())
    case = known["global_same_length"]
    assert case["train_shapes"]["objectGuess"] == [15, 30]  # upstream's defect
    assert not has_row_per_frame("objectGuess", (30, 30), 30)
    assert has_row_per_frame("scan_index", (30,), 30)


def test_the_record_of_a_split_is_upstreams(golden: Path) -> None:
    known = json.loads((golden / "study" / "phase_c" / "split.json").read_text())
    record = known["boundary_exact"]["split_record"]
    step = split_step(
        fraction=0.5,
        axis="y",
        parent_file=record["parameters"]["parent_file"],
        point=5.0,
        n_train=5,
        n_test=6,
        timestamp=record["timestamp"],
    )
    assert vars(step) == record
