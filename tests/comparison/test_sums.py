"""Sums of patches that were interrupted, and what is kept of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.kept import Finding, Kept
from ptyrun.comparison.sums import ArmObject, Sums
from ptyrun.config import Alignment, EvaluationOptions
from ptyrun.engine import rows
from ptyrun.host.documents import digest_of
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.geometry.stitching import Stitcher

SHAPE = (90, 80)
N_GROUPS = 50
REGION = Region(10, 8, 60, 64)


def index() -> ArmIndex:
    random = np.random.default_rng(2)
    positions = random.uniform(20, 60, (N_GROUPS, 1, 2))
    frames = np.arange(N_GROUPS, dtype=np.int64).reshape(-1, 1)
    return ArmIndex(frames, positions, random.integers(1, 4, N_GROUPS), np.array([1.0]))


def patches() -> NDArray[np.complex64]:
    """Of very different sizes: any other order of adding them gives other bits."""
    random = np.random.default_rng(3)
    noise = random.normal(size=(2, N_GROUPS, 32, 32)) * 10 ** random.uniform(
        -6, 6, (N_GROUPS, 1, 1)
    )
    found: NDArray[np.complex64] = (noise[0] + 1j * noise[1]).astype(np.complex64)
    found[7] = 0
    return found


def summed(folder: Path, alignment: Alignment, cuts: list[int]) -> Sums:
    """Add all patches; at each cut start over from what was kept."""
    options = EvaluationOptions(alignment=alignment)
    kept, key = Kept(folder), digest_of("these")
    sums = Sums(SHAPE, options, index())
    for start, stop in zip([0, *cuts], [*cuts, N_GROUPS], strict=True):
        assert sums.position == start
        sums.add(range(start, stop), patches()[start:stop])
        kept.save("sums", key, sums.finding())
        sums = Sums(SHAPE, options, index())
        sums.resume(kept.load("sums", key))
    return sums


@pytest.mark.parametrize("alignment", Alignment)
@pytest.mark.parametrize("cuts", [[1], [8, 9, 31], list(range(1, N_GROUPS))])
def test_sums_that_were_interrupted_are_the_same_to_the_last_bit(
    tmp_path: Path, alignment: Alignment, cuts: list[int]
) -> None:
    whole, parts = summed(tmp_path / "1", alignment, []), summed(tmp_path / "2", alignment, cuts)
    for one, other in zip(whole.stitcher.sums(), parts.stitcher.sums(), strict=True):
        assert one.dtype.itemsize >= 8
        assert one.tobytes() == other.tobytes()
    first, second = (each.object(REGION, 1.0, "note", None) for each in (whole, parts))
    assert first.figures == second.figures
    assert (first.hole, first.notes, first.n_groups) == (second.hole, second.notes, N_GROUPS)
    assert first.canvas.tobytes() == second.canvas.tobytes()
    assert first.halves is not None
    assert second.halves is not None
    assert repr(first.halves.result) == repr(second.halves.result)


def test_halves_are_the_even_and_the_odd_groups_and_add_up_to_all() -> None:
    groups, table = patches(), index()
    sums = Sums(SHAPE, EvaluationOptions(), table)
    for start, stop in ((0, 7), (7, 8), (8, N_GROUPS)):
        sums.add(range(start, stop), groups[start:stop])
    arrays = sums.finding().arrays
    for parity, name in enumerate(("even", "odd")):
        own = slice(parity, None, 2)
        expected = Stitcher(SHAPE, EvaluationOptions().stitch_crop_px)
        expected.add(groups[own], table.centres_px[:][own], table.multiplicity[own])
        assert arrays[f"{name}_sum"].tobytes() == expected.state[0].tobytes()
    whole = Stitcher(SHAPE, EvaluationOptions().stitch_crop_px)
    whole.add(groups, table.centres_px[:], table.multiplicity[:])
    largest = np.abs(whole.sums()[0]).max()
    for found, expected_sum in zip(sums.stitcher.sums(), whole.sums(), strict=True):
        assert np.allclose(found, expected_sum, rtol=1e-9, atol=1e-12 * largest)


def test_figures_do_not_depend_on_how_many_rows_are_read_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(8)
    groups, frames = patches(), random.integers(0, 60, (N_GROUPS, 4))
    table = ArmIndex(
        frames, random.uniform(20, 60, (N_GROUPS, 4, 2)), np.arange(N_GROUPS) % 3, np.ones(1)
    )
    found = []
    for block_rows in (1 << 15, 7):
        monkeypatch.setattr(rows, "BLOCK_ROWS", block_rows)
        sums = Sums(SHAPE, EvaluationOptions(), table)
        sums.add(range(N_GROUPS), groups)
        made = sums.object(REGION, None)
        assert made.halves is not None
        found.append((made.hole, made.halves.shared_frames, table.bounds_px().tolist()))
    assert found[0] == found[1]
    even, odd = (set(frames[parity::2].ravel().tolist()) for parity in range(2))
    assert found[0][1] == len(even & odd) / len(even | odd)
    weighing = table.positions_px[:][np.arange(N_GROUPS) % 3 > 0].reshape(-1, 2)
    assert found[0][2] == [weighing.min(axis=0).tolist(), weighing.max(axis=0).tolist()]


@pytest.mark.parametrize(("noise", "least"), [(0.0, 1.0), (0.05, 0.3), (3.0, 0.0)])
def test_halves_correlate_as_far_as_patches_repeat_themselves(noise: float, least: float) -> None:
    random = np.random.default_rng(1)
    places = np.stack(np.meshgrid(np.arange(18, 72, 4), np.arange(18, 62, 4)), -1).reshape(-1, 1, 2)
    frames = np.arange(len(places)).reshape(-1, 1) // 3
    table = ArmIndex(frames, places.astype(float), np.ones(len(places), int), np.array([1.0]))
    y, x = np.mgrid[:90, :80]
    amplitude = 1 + 0.1 * np.cos(y / 3) * np.cos(x / 4)
    image = amplitude * np.exp(0.3j * random.normal(size=SHAPE))
    cut = [image[a - 16 : a + 16, b - 16 : b + 16] for a, b in places[:, 0]]
    parts = random.normal(size=(2, len(places), 32, 32))
    noisy = np.array(cut) + noise * (parts[0] + 1j * parts[1])
    sums = Sums(SHAPE, EvaluationOptions(), table)
    sums.add(range(len(places)), noisy.astype(np.complex64))
    halves = sums.object(REGION, None).halves
    assert halves is not None
    assert 0.8 < halves.covered_share <= 1
    assert halves.shared_frames > 0.9, "each frame is in three groups"
    found = halves.found.precision["frc_half_bit"].value
    reached = 1.0 if found is None else found
    assert reached >= least
    if noise > 1:
        assert reached < 0.3


def test_sums_of_another_object_are_not_gone_on_from(tmp_path: Path) -> None:
    found = summed(tmp_path, Alignment.EXACT, [10]).finding()
    other = Sums((91, 80), EvaluationOptions(), index())
    other.resume(found)
    assert other.position == 0
    assert not other.stitcher.sums()[1].any()


def test_an_object_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    arm = summed(tmp_path / "sums", Alignment.UPSTREAM, []).object(REGION, 2.5, "a note")
    kept.save("object", digest_of(1), arm.finding())
    found = kept.load("object", digest_of(1))
    assert found is not None
    again = ArmObject.of(found)
    assert repr(again.finding().facts) == repr(arm.finding().facts)
    for name, array in arm.finding().arrays.items():
        assert again.finding().arrays[name].tobytes() == array.tobytes()


def test_what_is_kept_is_believed_only_if_it_is_whole_and_of_the_same(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    finding = Finding({"a": 1}, {"x": np.arange(1000)})
    kept.save("step", digest_of("this"), finding)
    assert kept.load("step", digest_of("that")) is None
    (path,) = tmp_path.iterdir()
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 4
    path.write_bytes(text)
    assert kept.load("step", digest_of("this")) is None
    assert kept.damaged() == [path]
    kept.save("step", digest_of("this"), finding)
    assert kept.load("step", digest_of("this")) is not None
    assert kept.damaged() == []
    assert len(list(tmp_path.iterdir())) == 1


def test_what_cannot_be_kept_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    Kept(tmp_path / "file").save("step", digest_of(1), Finding({}, {}))
    assert Kept(tmp_path / "file").load("step", digest_of(1)) is None


def test_what_somebody_else_kept_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path / "steps")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "sender"))
    assert kept.save("step", digest_of(1), Finding({}, {}))
    assert kept.load("step", digest_of(1)) is not None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "receiver"))
    assert kept.load("step", digest_of(1)) is None


def test_what_will_not_be_believed_later_is_no_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not Kept(tmp_path / "steps").save("step", digest_of(1), Finding({}, {}))
