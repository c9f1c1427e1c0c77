"""Are positions looked through when a scan is opened, and held only once they are asked for?"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.ptycho.readers import npz
from ptyrun.ptycho.readers.opening import Scan, open_scan

N = 100_000  # several blocks of each axis
SAVE: dict[str, Callable[..., None]] = {"stored": np.savez, "packed": np.savez_compressed}


def written(path: Path, save: Callable[..., None] = np.savez, n: int = N, **changed: Any) -> Path:
    y, x = np.random.default_rng(3).uniform(0, 400, (2, n))
    frames = np.broadcast_to(np.array([[0, 1], [2, 3]], np.uint8), (n, 2, 2))
    save(path, **{"diffraction": frames, "xcoords": x, "ycoords": y, **changed})
    return path


def opened(path: Path) -> Scan:
    return open_scan(path, "amplitude")


def traced_bytes(work: Callable[[], object]) -> int:
    """Most memory that Python and NumPy held at once during *work*, beyond what they held."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("how", SAVE)
def test_opening_a_scan_holds_none_of_its_positions(how: str, tmp_path: Path) -> None:
    n, cache = 4 * N, tmp_path / "cache"
    path = written(tmp_path / "scan.npz", SAVE[how], n)
    open_scan(path, "amplitude", cache)  # imports, and unpacks frames
    assert traced_bytes(lambda: open_scan(path, "amplitude", cache)) < 12 * n
    assert traced_bytes(lambda: open_scan(path, "amplitude", cache).positions_px) > 16 * n


@pytest.mark.parametrize("how", SAVE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.uint16])
def test_they_are_those_of_the_file_and_read_once(how: str, dtype: type, tmp_path: Path) -> None:
    y, x = np.random.default_rng(4).uniform(0, 400, (2, N)).astype(dtype)
    scan = opened(written(tmp_path / "scan.npz", SAVE[how], xcoords=x, ycoords=y))
    assert scan.n_frames == N
    copies = scan.changed(near_field=True), replace(scan, notes=())
    (tmp_path / "scan.npz").rename(tmp_path / "moved.npz")
    assert np.array_equal(scan.positions_px, np.stack([y, x], axis=1).astype(np.float64))
    assert all(copy.positions_px is scan.positions_px for copy in copies)


def test_a_changed_copy_takes_other_positions() -> None:
    given = np.ones((3, 2))
    scan = Scan(path=Path("x"), positions_px=given, patch_px=2, source=None, intensity=False)  # type: ignore[arg-type]
    assert scan.positions_px is given
    assert scan.changed(positions_px=given + 1).positions_px[0, 0] == 2
    assert replace(scan, positions_px=given + 1).positions_px[0, 0] == 2


def test_a_scan_needs_positions() -> None:
    with pytest.raises(TypeError, match="positions_px"):
        Scan(path=Path("x"), patch_px=2, source=None, intensity=False)  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize("how", SAVE)
@pytest.mark.parametrize("name", ["xcoords", "ycoords"])
@pytest.mark.parametrize(
    ("bad", "says"),
    [(np.nan, "frame {}, counted from 0, is NaN"), (-1e16, "reach 1e\\+16 in frame {},")],
)
def test_one_that_is_no_place_is_found_in_any_block(
    how: str, name: str, bad: float, says: str, tmp_path: Path
) -> None:
    for at in (0, npz.BLOCK_BYTES // 8, N - 1):
        values = np.zeros(N)
        values[at] = bad
        path = written(tmp_path / "scan.npz", SAVE[how], **{name: values})
        with pytest.raises(InputError, match=says.format(at)) as refused:
            opened(path)
        assert name in str(refused.value)


def test_the_first_of_several_is_named(tmp_path: Path) -> None:
    values = np.zeros(N)
    values[[7, N - 1]] = np.nan, np.inf
    values[8] = 1e20
    with pytest.raises(InputError, match="that of frame 7, counted from 0, is NaN or infinite"):
        opened(written(tmp_path / "scan.npz", ycoords=values))


def test_a_damaged_axis_is_called_that_whatever_its_values_are(tmp_path: Path) -> None:
    path = written(tmp_path / "scan.npz", xcoords=np.full(N, 4.25))
    stored = path.read_bytes()
    at = stored.index(np.full(4, 4.25).tobytes())
    path.write_bytes(stored[:at] + np.array([np.nan]).tobytes() + stored[at + 8 :])
    with pytest.raises(InputError, match=r"'xcoords' of .* is damaged"):
        opened(path)


def test_a_file_that_changes_before_they_are_asked_for_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "scan.npz")
    scan = opened(path)
    written(path, xcoords=np.zeros(N))
    with pytest.raises(InputError, match="damaged"):
        _ = scan.positions_px
    scan = opened(path)
    written(path, xcoords=np.zeros(N, np.float32))
    with pytest.raises(InputError, match=str(path)):
        _ = scan.positions_px
