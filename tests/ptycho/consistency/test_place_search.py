"""Is a part of the object laid where it belongs, though no convention says where that is?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptyrun.ptycho.consistency import place_search, verdict
from ptyrun.ptycho.consistency.place_search import Placement
from ptyrun.ptycho.geometry.placement import scanned_region
from ptyrun.ptycho.readers.opening import Scan, open_scan
from ptyrun.ptycho.readers.reconstruction import Reconstruction, open_reconstruction
from tests.scans import scan_arrays

SHAPE = (220, 200)
PARTS = {
    "rows 0 to 149": (slice(0, 150), slice(None)),
    "rows 0 to 199": (slice(0, 200), slice(None)),
    "rows 66 on": (slice(66, None), slice(None)),
    "a cut": (slice(20, 190), slice(30, 190)),
}


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    path = tmp_path_factory.mktemp("scan") / "scan.npz"
    np.savez(path, allow_pickle=False, **scan_arrays(300, shape=SHAPE))
    return open_scan(path)


def judged(
    scan: Scan, image: np.ndarray[tuple[int, int], np.dtype[np.complex64]], folder: Path
) -> tuple[Placement, str | None]:
    path = folder / "part.npz"
    noise = np.random.default_rng(1).normal(0, 0.02, (2, *image.shape))
    part = (image + noise[0] + 1j * noise[1]).astype(np.complex64)
    np.savez(path, allow_pickle=False, reconstructed_object=part)
    found: Reconstruction = open_reconstruction(path)
    placement = place_search.place(scan, SHAPE, found)
    region = scanned_region(scan.positions_px, 20, SHAPE)
    coherence = verdict.coherence_with_reference(placement, scan.object_guess, region)
    return placement, verdict.why_inconsistent(placement, region, coherence)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_laid_where_it_is_like_the_reference(
    name: str, scan: Scan, tmp_path: Path
) -> None:
    assert scan.object_guess is not None
    rows, columns = PARTS[name]
    placement, reason = judged(scan, scan.object_guess[rows, columns], tmp_path)
    assert reason is None
    covered = np.zeros(SHAPE)
    covered[rows, columns] = 1
    assert np.array_equal(placement.coverage, covered)


@pytest.mark.parametrize("name", ["rows 0 to 149", "rows 66 on"])
def test_without_a_reference_a_part_may_begin_at_a_corner(
    name: str, scan: Scan, tmp_path: Path
) -> None:
    assert scan.object_guess is not None
    blind = scan.changed(object_guess=None)
    placement, reason = judged(blind, scan.object_guess[PARTS[name]], tmp_path)
    assert reason is None
    assert np.flatnonzero(placement.coverage.any(axis=1))[0] == PARTS[name][0].start


def test_a_part_whose_place_nothing_tells_is_called_neither_turned_nor_conjugated(
    scan: Scan, tmp_path: Path
) -> None:
    assert scan.object_guess is not None
    blind = scan.changed(object_guess=None)
    _, reason = judged(blind, scan.object_guess[PARTS["a cut"]], tmp_path)
    assert reason is not None
    assert "conjugated" not in reason and "explains the frames better" not in reason
    assert "or is it a part that begins elsewhere" in reason


@pytest.mark.parametrize("name", PARTS)
def test_a_conjugated_part_is_named_at_its_place(name: str, scan: Scan, tmp_path: Path) -> None:
    assert scan.object_guess is not None
    placement, reason = judged(scan, scan.object_guess[PARTS[name]].conj(), tmp_path)
    assert reason is not None and "better with the object conjugated" in reason
    assert placement.fit is not None
    assert placement.fit.turned["the object conjugated"] < 0.5 * placement.fit.shuffled


def test_one_that_has_little_in_common_is_not_said_to_be_registered(
    scan: Scan, tmp_path: Path
) -> None:
    noise = np.random.default_rng(3).normal(0, 1, (2, *SHAPE))
    _, reason = judged(scan, (noise[0] + 1j * noise[1]).astype(np.complex64), tmp_path)
    assert reason is not None and "after a search for its shift" in reason
    assert "registration" not in reason


def test_of_noisy_frames_a_part_that_leaves_as_much_as_the_reference_is_laid_there(
    scan: Scan, tmp_path: Path
) -> None:
    arrays = scan_arrays(300, shape=SHAPE)
    counts = np.random.default_rng(0).poisson(10 * arrays["diffraction"] ** 2)
    arrays["diffraction"] = np.sqrt(counts / 10).astype(np.float32)
    np.savez(tmp_path / "scan.npz", allow_pickle=False, **arrays)
    noisy = open_scan(tmp_path / "scan.npz")
    placement, reason = judged(noisy, arrays["objectGuess"][PARTS["a cut"]], tmp_path)
    assert reason is None
    assert placement.fit is not None and not placement.fit.explains_well
    assert np.argwhere(placement.coverage > 0)[0].tolist() == [20, 30]
