from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.splitting import split_point
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.study import split_positions


def test_a_frame_on_the_point_tests() -> None:
    train, test = split_positions(np.array([0.0, 5.0, 10.0, np.nextafter(5.0, 0)]))
    assert train.tolist() == [0, 3]
    assert test.tolist() == [1, 2]


def test_the_point_is_computed_in_the_dtype_of_the_coordinates() -> None:
    """In single precision 0.2 is below the middle of 0.1 and 0.3, in double it is not."""
    values = [0.1, 0.2, 0.3]
    assert split_positions(np.array(values, np.float32)).train.tolist() == [0, 1]
    assert split_positions(np.array([0.0, 0.2, 0.4])).train.tolist() == [0]


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50, unique=True),
    st.floats(0.1, 0.9),
)
def test_every_frame_is_in_one_part_and_the_parts_do_not_overlap(
    values: list[float], fraction: float
) -> None:
    coordinates = np.array(values)
    point = split_point(coordinates, fraction)
    if not coordinates.min() < point <= coordinates.max():
        return  # they differ in their last bits alone
    train, test = split_positions(coordinates, fraction)
    assert sorted([*train, *test]) == list(range(len(values)))
    assert coordinates[train].max() < point <= coordinates[test].min()


@pytest.mark.parametrize(
    ("coordinates", "fraction", "said"),
    [
        ([0.0, 1.0, np.nan], 0.5, "not finite"),
        ([3.0, 3.0, 3.0], 0.5, "cannot be split"),
        ([4.0], 0.5, "cannot be split"),
        ([], 0.5, "cannot be split"),
        ([[0.0, 1.0]], 0.5, "cannot be split"),
        ([0.0, 1.0], 0.0, "fraction"),
        ([0.0, 1.0], 1.0, "fraction"),
        ([0.0, 1.0], float("nan"), "fraction"),
    ],
)
def test_what_cannot_be_split_is_refused(
    coordinates: list[float], fraction: float, said: str
) -> None:
    with pytest.raises(GeometryError, match=said):
        split_positions(np.array(coordinates), fraction)


def test_every_split_of_upstream_comes_out_again(golden: Path) -> None:
    known = json.loads((golden / "study" / "phase_c" / "split.json").read_text())
    refused = set()
    for name, case in known.items():
        coordinates = np.array(case["coords"], case.get("dtype", "float64"))
        if case.get("error"):  # upstream stumbles over a 0-d array of the file
            assert len(split_positions(coordinates, case["fraction"]).train) == 5
            continue
        if not case["train_scan_index"] or not case["test_scan_index"]:
            # Upstream writes an empty part; ours refuses.
            with pytest.raises(GeometryError):
                split_positions(coordinates, case["fraction"])
            refused.add(name)
            continue
        train, test = split_positions(coordinates, case["fraction"])
        assert train.tolist() == case["train_scan_index"], name
        assert test.tolist() == case["test_scan_index"], name
        if case["metadata_in_output"]:
            point = case["split_record"]["parameters"]["split_point"]
            assert split_point(coordinates, case["fraction"]) == point
    assert {"all_equal", "single", "nan"} <= refused
    assert len(known) - len(refused) > 9


def test_the_split_of_the_real_study(golden: Path) -> None:
    arrays = NpzFile(golden / "study" / "overlap" / "upstream_study_geometry.npz")
    y = arrays.array("ycoords")
    train, test = split_positions(y)
    assert (len(train), len(test)) == (5088, 5216)
    assert split_point(y) == 232.01387199708716
    assert np.array_equal(np.flatnonzero(arrays.array("train_mask")), train)
