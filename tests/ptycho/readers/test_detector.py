from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.detector import gaps
from ptyrun.ptycho.readers.opening import open_scan
from tests.ptycho.conftest import Scene, rewritten
from tests.ptycho.readers.test_readers import write_cxi, write_diffraction, write_product

pytestmark = pytest.mark.usefixtures("unsuspicious")

DETECTOR = "entry_1/instrument_1/detector_1"
ALL = np.arange(12)


def counts_of(scene: Scene) -> np.ndarray:
    return np.rint(scene.amplitude**2)


def replaced(path: Path, name: str, values: object) -> Path:
    with rewritten(path) as file:
        if name in file:
            del file[name]
        file[name] = values
    return path


@given(
    dtype=st.sampled_from(["u2", "u4", ">u4", "i4", ">i8", "u8", "f4", ">f8"]),
    edge=st.sampled_from([2**16 - 1, 2**31 - 1, 2**32 - 1, -1, -2, np.nan]),
    column=st.integers(0, 7),
)
@settings(deadline=None)
def test_a_gap_is_what_holds_a_detectors_edge_in_every_frame(
    dtype: str, edge: float, column: int
) -> None:
    kind = np.dtype(dtype)
    is_float = kind.kind == "f"
    if not is_float and not (edge == edge and np.iinfo(kind).min <= edge <= np.iinfo(kind).max):
        return
    frames = np.arange(3 * 64).reshape(3, 8, 8).astype(kind)
    frames[:, :, column] = edge
    bad, _ = gaps(frames)
    assert np.array_equal(bad, np.arange(8) == np.full((8, 1), column))
    frames[1, 4, column] = 7
    bad, _ = gaps(frames)
    assert bad.sum() == 7
    assert not bad[4, column]


@pytest.mark.parametrize("dtype", ["u4", "i4", "u2"])
def test_a_gap_between_modules_is_zero_and_named(dtype: str, scene: Scene, tmp_path: Path) -> None:
    counts = counts_of(scene).astype(dtype)
    counts[:, :, 5] = np.iinfo(dtype).max
    path = tmp_path / "scan.npz"
    np.savez(path, **scene.members(diffraction=None, diff3d=counts))
    scan = open_scan(path)
    expected = np.sqrt(counts_of(scene).astype(np.float32))
    expected[:, :, 5] = 0
    assert np.array_equal(scan.amplitudes(ALL), expected)
    assert scan.survey.maximum == expected.max()
    (doubt,) = scan.doubts
    assert "8 pixels" in doubt
    assert "column 5" in doubt
    assert scan.bad_pixels is not None
    assert scan.bad_pixels.sum() == 8


def test_the_largest_integer_in_some_frames_is_refused(scene: Scene, tmp_path: Path) -> None:
    counts = counts_of(scene).astype(np.uint32)
    counts[7, 2, 3] = 2**32 - 1
    path = tmp_path / "scan.npz"
    np.savez(path, **scene.members(diffraction=None, diff3d=counts))
    with pytest.raises(InputError, match="frame 7"):
        _ = open_scan(path).survey


def test_a_pixel_with_signal_is_a_good_one(scene: Scene, tmp_path: Path) -> None:
    mask = np.zeros((8, 8), np.uint32)
    mask[3:5, 3:5] = 0x1000
    mask[0, 0], mask[7, 7] = 1, 0x1000 | 2
    path = replaced(write_cxi(tmp_path / "scan.cxi", scene), f"{DETECTOR}/mask", mask)
    expected = np.sqrt(counts_of(scene))
    expected[:, 0, 0] = expected[:, 7, 7] = 0
    assert np.allclose(open_scan(path).amplitudes(ALL), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (np.zeros((6, 6), np.uint32), "does not fit its frames"),
        (np.zeros((8, 4), np.uint32), "does not fit its frames"),
        (np.full((8, 8), b"x"), "does not fit its frames"),
        (np.ones((8, 8), np.uint32), "every pixel"),
    ],
)
def test_a_mask_that_cannot_be_one_is_refused(
    mask: np.ndarray, says: str, scene: Scene, tmp_path: Path
) -> None:
    path = replaced(write_cxi(tmp_path / "scan.cxi", scene), f"{DETECTOR}/mask", mask)
    with pytest.raises(InputError, match=says):
        open_scan(path)


def test_a_mask_of_good_pixels_is_doubted(scene: Scene, tmp_path: Path) -> None:
    mask = np.ones((8, 8), np.uint32)
    mask[3, 3] = 0
    path = replaced(write_cxi(tmp_path / "scan.cxi", scene), f"{DETECTOR}/mask", mask)
    assert any("98%" in doubt for doubt in open_scan(path).doubts)


def test_bad_pixels_of_another_size_are_refused(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.h5", scene)
    beside = write_diffraction(tmp_path / "diffraction.h5", scene)
    replaced(beside, "bad_pixels", np.zeros((4, 4), bool))
    with pytest.raises(InputError, match="do not fit its frames"):
        open_scan(path)


@pytest.mark.parametrize("name", ["data_dark", "dark"])
@pytest.mark.parametrize("stacked", [True, False])
def test_dark_frames_are_subtracted(name: str, stacked: bool, scene: Scene, tmp_path: Path) -> None:
    path = write_cxi(tmp_path / "scan.cxi", scene)
    counts = counts_of(scene).astype(np.int32)
    replaced(path, f"{DETECTOR}/data", counts + 100)
    replaced(path, f"{DETECTOR}/{name}", np.full((5, 8, 8) if stacked else (8, 8), 100.0))
    scan = open_scan(path)
    expected = np.sqrt(counts.astype(float))
    expected[:, 0, 1] = 0
    assert np.allclose(scan.amplitudes(ALL), expected, atol=1e-5)
    assert any("is subtracted" in note for note in scan.notes)


@pytest.mark.parametrize(
    ("dark", "kind", "why"),
    [
        (np.full((5, 8, 8), 100.0), None, "subtracted already"),
        (np.full((5, 4, 4), 100.0), None, "shape"),
        (np.full((8, 8), 1.0), "amplitude", "amplitude"),
        (np.full((8, 8), np.nan), None, "not counts"),
    ],
)
def test_dark_frames_that_are_not_subtracted_are_named(
    dark: np.ndarray, kind: str | None, why: str, scene: Scene, tmp_path: Path
) -> None:
    path = replaced(write_cxi(tmp_path / "scan.cxi", scene), f"{DETECTOR}/data_dark", dark)
    scan = open_scan(path, kind)
    (doubt,) = scan.doubts
    assert "data_dark is there and is not subtracted" in doubt
    assert why in doubt
