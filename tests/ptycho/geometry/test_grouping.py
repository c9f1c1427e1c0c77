from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ptyrun.errors import GeometryError, InputError
from ptyrun.ptycho.geometry import grouping, normalisation
from ptyrun.ptycho.geometry.group_table import EveryFrame
from ptyrun.ptycho.geometry.grouping import (
    draw_groups,
    draw_subsample,
    group_centres_px,
    local_offsets_px,
    nearest_other,
    nearest_others,
    read_groups,
    single_frames,
)
from ptyrun.ptycho.geometry.normalisation import (
    MEMBERS_AT_ONCE,
    normalisation_factor,
    normalised_groups,
)
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.opening import open_scan

RASTER = np.stack(np.meshgrid(np.arange(9), np.arange(8), indexing="ij"), -1).reshape(-1, 2) * 0.1
SCATTER = np.random.default_rng(3).uniform(0, 100, (60, 2))


@settings(max_examples=40)
@given(
    points=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=6, max_size=40),
    neighbor_count=st.integers(4, 9),
    seed=st.integers(0, 5),
)
def test_a_group_is_of_its_seeds_nearest_others(
    points: list[tuple[int, int]], neighbor_count: int, seed: int
) -> None:
    positions = np.array(points, float)
    frames = draw_groups(positions, 2, neighbor_count=neighbor_count, seed=seed)
    assert frames.shape == (len(points), 4)
    for own, group in enumerate(frames):
        assert own not in group
        assert len(set(group)) == 4
        distances = np.linalg.norm(positions - positions[own], axis=1)
        others = np.sort(np.delete(distances, own))
        farthest = others[min(neighbor_count, len(others)) - 1]
        assert distances[group].max() <= farthest + 1e-9


def test_ties_on_a_raster_go_to_the_smaller_index() -> None:
    middle = 4 * 8 + 4
    found = nearest_others(RASTER.astype(np.float64), np.array([middle]), 7)[0]
    assert found.tolist() == [28, 35, 37, 44, 27, 29, 43]


def test_equal_arguments_give_equal_groups_and_another_seed_others() -> None:
    assert np.array_equal(draw_groups(SCATTER, 2, seed=5), draw_groups(SCATTER, 2, seed=5))
    assert not np.array_equal(draw_groups(SCATTER, 2, seed=5), draw_groups(SCATTER, 2, seed=6))


def test_gridsize_one_takes_each_position_itself() -> None:
    assert np.array_equal(draw_groups(SCATTER, 1), np.arange(60)[:, None])


def test_a_subsample_is_drawn_first_and_nothing_else_is_used() -> None:
    candidates = draw_subsample(60, 20, seed=456)
    assert len(candidates) == 20
    assert np.array_equal(candidates, np.unique(candidates))
    assert set(draw_groups(SCATTER, 2, candidates=candidates).ravel()) <= set(candidates)
    assert len(draw_subsample(60, 100, seed=1)) == 60


def test_a_limit_draws_seeds_whose_neighbours_come_from_all() -> None:
    assert draw_groups(SCATTER, 2, n_groups=10).shape == (10, 4)
    assert draw_groups(SCATTER, 2, n_groups=1000).shape == (60, 4)
    assert draw_groups(SCATTER, 1, n_groups=10).shape == (10, 1)


@pytest.mark.parametrize(("gridsize", "count", "n"), [(3, 7, 60), (2, 7, 4)])
def test_groups_that_cannot_be_filled_are_refused(gridsize: int, count: int, n: int) -> None:
    with pytest.raises(GeometryError):
        draw_groups(SCATTER[:n], gridsize, neighbor_count=count)


def test_single_frames_are_each_frame_once_with_its_multiplicity() -> None:
    frames, counts = single_frames(np.array([[4, 2], [2, 9], [2, 4]]), 10)
    assert frames[:].tolist() == [[4], [2], [9]]
    assert counts[frames[:, 0]].tolist() == [2, 3, 1]
    assert counts.sum() == 6


@pytest.mark.parametrize("members", [1, 4])
def test_single_frames_do_not_depend_on_how_many_groups_are_looked_at_together(
    members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = np.random.default_rng(1).integers(0, 90, (50, members))
    frames, counts = single_frames(groups, 90)
    flat = groups.ravel().tolist()
    assert frames[:, 0].tolist() == list(dict.fromkeys(flat))
    assert counts.tolist() == [flat.count(frame) for frame in range(90)]
    monkeypatch.setattr(grouping, "SEEDS_AT_ONCE", 7)
    for found, expected in zip(single_frames(groups, 90), (frames, counts), strict=True):
        assert np.array_equal(found, expected)


def test_groups_and_neighbours_do_not_depend_on_how_many_are_drawn_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = [draw_groups(places, 2, n_groups=50) for places in (RASTER, SCATTER)]
    nearest = nearest_others(RASTER, np.arange(40), 6)
    monkeypatch.setattr(grouping, "SEEDS_AT_ONCE", 7)
    for places, expected in zip((RASTER, SCATTER), whole, strict=True):
        assert np.array_equal(draw_groups(places, 2, n_groups=50), expected)
    assert np.array_equal(nearest_others(RASTER, np.arange(40), 6), nearest)


@pytest.mark.parametrize("places", [RASTER, SCATTER], ids=["raster", "scatter"])
def test_the_nearest_other_position_of_a_few_is_that_of_the_tree(
    places: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    among = np.arange(len(places)) >= 5
    seeds = np.array([5, 17, 40])
    expected = 5 + nearest_others(places[5:], seeds - 5, 1)[:, 0]
    assert nearest_other(places, among, seeds).tolist() == expected.tolist()
    monkeypatch.setattr(grouping, "FRAMES_AT_ONCE", 4)
    assert nearest_other(places, among, seeds).tolist() == expected.tolist()


@pytest.mark.parametrize("n_groups", [1, 5, 30])
def test_single_frames_of_the_first_groups_are_the_first_of_all(n_groups: int) -> None:
    groups = draw_groups(SCATTER, 2)
    few, _ = single_frames(groups[:n_groups], len(SCATTER))
    everything, _ = single_frames(groups, len(SCATTER))
    assert np.array_equal(few, everything[: len(few)])


def test_the_members_of_upstreams_groups_are_among_the_nearest_seven(upstream_run: NpzFile) -> None:
    positions = np.stack([upstream_run.array("ycoords"), upstream_run.array("xcoords")], axis=1)
    nearest = nearest_others(positions, np.arange(96), 7)
    for group, allowed in zip(upstream_run.array("nn_indices"), nearest, strict=True):
        assert set(group) <= set(allowed)


@pytest.mark.parametrize("members", [1, 4, 9])
def test_not_a_bit_of_the_normalisation_depends_on_blocks(
    members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(members)
    energies = generator.exponential(1e3, 5_000)
    for n_groups in (1, 100, 16_385, 70_001):
        frames = generator.integers(0, len(energies), (n_groups, members))
        found = set()
        for at_once in (256, 1000, MEMBERS_AT_ONCE):
            monkeypatch.setattr(normalisation, "MEMBERS_AT_ONCE", at_once)
            found.add(normalisation_factor(energies, frames, 64))
        expected = np.sqrt((64 / 2) ** 2 / energies[frames].mean())
        (factor,) = found
        assert factor == pytest.approx(expected, rel=1e-14)


def test_every_frame_alone_is_what_is_drawn_of_all() -> None:
    table, drawn = EveryFrame(60), draw_groups(SCATTER, 1)
    assert table.shape == drawn.shape
    assert np.array_equal(table[:], drawn)
    assert np.array_equal(table[7:80], drawn[7:80])
    energies = np.random.default_rng(1).exponential(1.0, 60)
    assert normalisation_factor(energies, table, 8) == normalisation_factor(energies, drawn, 8)
    frames, counts = single_frames(table, 61)
    assert frames is table
    assert counts.tolist() == [1] * 60 + [0]


def test_groups_offsets_and_x_equal_upstreams_bit_for_bit(
    upstream_run: NpzFile, golden_scan_path: Path
) -> None:
    scan = open_scan(golden_scan_path)
    frames = read_groups(upstream_run.path, scan.n_frames)
    centres = group_centres_px(scan.positions_px[frames])
    assert np.array_equal(
        centres[:, ::-1], upstream_run.array("global_offsets_container")[:, 0, :, 0]
    )
    offsets = local_offsets_px(scan.positions_px[frames])
    assert np.array_equal(offsets, upstream_run.array("local_offsets"))
    assert np.array_equal(offsets.astype(np.float32), upstream_run.array("pinn_in_coords"))
    factor = normalisation_factor(scan.energies(), frames, scan.patch_px)
    network_input = normalised_groups(scan, frames, factor)
    scaled = network_input * np.float32(988.211669921875)
    assert np.array_equal(scaled, upstream_run.array("pinn_in_X"))


def test_groups_of_another_scan_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "groups.npz"
    np.savez(path, nn_indices=np.array([[0, 1], [2, 70]]))
    with pytest.raises(InputError, match="do not belong"):
        read_groups(path, 60)
    np.savez(path, nn_indices=np.array([0.5]))
    with pytest.raises(InputError, match="not a table of groups"):
        read_groups(path, 60)


def test_a_frame_that_is_none_and_a_table_without_groups_are_named(tmp_path: Path) -> None:
    path = tmp_path / "groups.npz"
    np.savez(path, nn_indices=np.array([[0, -1], [2, 59]]))
    with pytest.raises(InputError, match="do not belong") as caught:
        read_groups(path, 60)
    assert caught.value.why == "they name frame -1 of 60"
    np.savez(path, nn_indices=np.zeros((0, 4), np.int32))
    with pytest.raises(InputError, match="holds no group"):
        read_groups(path, 60)
