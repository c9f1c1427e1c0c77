from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.study.contract import check_file, check_members

GOOD: dict[str, np.ndarray] = {
    "diffraction": np.ones((5, 8, 8), np.float32),
    "objectGuess": np.ones((20, 20), np.complex64),
    "probeGuess": np.ones((8, 8), np.complex64),
    "xcoords": np.arange(5.0),
    "ycoords": np.arange(5.0) - 2,
}


def changed(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    return {name: array for name, array in (GOOD | changes).items() if array is not None}


# The cases of upstream's own checks that can be told from their names.
CASES: dict[str, dict[str, np.ndarray]] = {
    "minimal": GOOD,
    "missing_diffraction": changed(diffraction=None),
    "missing_objectGuess": changed(objectGuess=None),
    "missing_probeGuess": changed(probeGuess=None),
    "missing_xcoords": changed(xcoords=None),
    "missing_ycoords": changed(ycoords=None),
    "missing_two": changed(probeGuess=None, ycoords=None),
    "diff3d_name_only": changed(diffraction=None, diff3d=GOOD["diffraction"]),
    "diffraction_uint16": changed(diffraction=np.ones((5, 8, 8), np.uint16)),
    "diffraction_int32": changed(diffraction=np.ones((5, 8, 8), np.int32)),
    "diffraction_float64": changed(diffraction=np.ones((5, 8, 8))),
    "diffraction_float16": changed(diffraction=np.ones((5, 8, 8), np.float16)),
    "diffraction_complex": changed(diffraction=np.ones((5, 8, 8), np.complex64)),
    "object_float": changed(objectGuess=np.ones((20, 20), np.float32)),
    "probe_complex128": changed(probeGuess=np.ones((8, 8), np.complex128)),
    "probe_float": changed(probeGuess=np.ones((8, 8))),
    "xcoords_int": changed(xcoords=np.arange(5)),
    "ycoords_float32": changed(ycoords=np.arange(5, dtype=np.float32)),
    "len_x": changed(xcoords=np.arange(4.0)),
    "len_y": changed(ycoords=np.arange(6.0)),
    "HWN_layout": changed(diffraction=np.ones((8, 8, 5), np.float32)),
    "empty": changed(diffraction=np.ones((0, 8, 8)), xcoords=np.zeros(0), ycoords=np.zeros(0)),
    "nan_diffraction": changed(diffraction=np.full((5, 8, 8), np.nan)),
    "negative_amplitude": changed(diffraction=np.full((5, 8, 8), -1.0)),
    "non_square": changed(diffraction=np.ones((5, 8, 9))),
    "gs2_noK": GOOD,
    "gs2_K3": GOOD,
    "gs2_K4": GOOD,
    "gs2_K7": GOOD,
    "gs1_K0": GOOD,
    "gs3_K8": GOOD,
    "mixed_sign_y": GOOD,
}
STRICTER = {"empty", "nan_diffraction", "negative_amplitude", "non_square"}


def refusal(folder: Path, arrays: dict[str, Any], **words: Any) -> str | None:
    np.savez(folder / "scan.npz", **arrays)
    try:
        check_file(folder / "scan.npz", **words)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing_two", "lacks probeGuess, ycoords"),
        ("diffraction_uint16", "diffraction is uint16"),
        ("object_float", "objectGuess is float32"),
        ("xcoords_int", "xcoords is int64"),
        ("len_x", r"xcoords has shape (4,)"),
        ("HWN_layout", "frames first"),
        ("empty", "shape (0, 8, 8)"),
        ("nan_diffraction", "320 values of diffraction are not finite"),
        ("negative_amplitude", "negative amplitudes, down to -1"),
        ("non_square", "not a stack of square frames"),
    ],
)
def test_what_later_stages_cannot_use_is_named(tmp_path: Path, name: str, said: str) -> None:
    assert said in str(refusal(tmp_path, CASES[name]))


def test_every_group_needs_as_many_neighbours(tmp_path: Path) -> None:
    assert refusal(tmp_path, GOOD, gridsize=2, neighbor_count=4) is None
    for words in ({"gridsize": 2}, {"gridsize": 2, "neighbor_count": 3}):
        assert "neighbor_count" in str(refusal(tmp_path, GOOD, **words))


def test_coordinates_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    arrays = changed(ycoords=np.array([0, 1, np.nan, 3, 4]))
    assert "1 values of ycoords are not finite" in str(refusal(tmp_path, arrays))


def test_headers_are_enough_for_names_kinds_and_shapes() -> None:
    check_members(GOOD)
    with pytest.raises(InputError, match="lacks probeGuess"):
        check_members(changed(probeGuess=None))


def test_what_upstream_refuses_is_refused_and_four_things_more(
    golden: Path, tmp_path: Path
) -> None:
    known = json.loads((golden / "study" / "phase_c" / "validation.json").read_text())["cases"]
    stricter = set()
    for case in known:
        if case["name"] == "view_ignored":  # no view is asked for here
            continue
        found = refusal(tmp_path, CASES[case["name"]], **case["kwargs"])
        if case["result"] == "raise":
            assert found is not None, case["name"]
        elif found is not None:
            stricter.add(case["name"])
    assert stricter == STRICTER
    assert {case["name"] for case in known} == {*CASES, "view_ignored"}
