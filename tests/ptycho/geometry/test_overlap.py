from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.errors import GeometryError
from ptyrun.ptycho.geometry.discs import disc_overlap
from ptyrun.ptycho.geometry.overlap import (
    OverlapMetrics,
    acceptance_bound,
    kept_images,
    overlap_groups,
)
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.study import overlap_metrics

TOLERANCE = 1e-12
SCATTER = np.random.default_rng(3).uniform(0, 100, (60, 2))
DENSE: dict[str, Any] = {"gridsize": 2, "s_img": 0.8, "n_groups": 512, "neighbor_count": 25} | {
    "probe_diameter_px": 38.4,
    "rng_seed_subsample": 456,
}


@pytest.fixture(scope="module")
def overlap(golden: Path) -> Path:
    return golden / "study" / "overlap"


def cases(overlap: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((overlap / "cases.json").read_text())["cases"]
    return found


def agrees(found: object, expected: object) -> bool:
    if isinstance(expected, float):
        return bool(found == pytest.approx(expected, rel=1e-15, abs=TOLERANCE))
    return found == expected


def given_case(case: dict[str, Any], arrays: NpzFile) -> tuple[np.ndarray, dict[str, Any]]:
    words = dict(case["inputs"])
    coords = arrays.array(f"coords__{words.pop('geometry')}")
    words.pop("n_coords")
    if words.pop("coords_are_subsampled"):
        words["s_img"] = 1.0  # ours always subsamples
    name = f"{case['id']}__groups_in_subsample"
    return coords, words | ({"groups": arrays.array(name)} if name in arrays else {})


def test_touching_discs_share_nothing_and_one_place_everything() -> None:
    shares = disc_overlap(np.array([0.0, 19.2, 38.4, 40.0, np.inf]), 38.4)
    assert shares.tolist() == [1.0, pytest.approx(0.39100222, abs=1e-8), 0.0, 0.0, 0.0]


@given(
    diameter_px=st.floats(1e-3, 1e4),
    shares=st.lists(st.floats(0, 2), min_size=2, max_size=9),
)
def test_discs_share_less_the_farther_they_are(diameter_px: float, shares: list[float]) -> None:
    found = disc_overlap(np.sort(shares) * diameter_px, diameter_px)
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (np.diff(found) <= 1e-12).all()


def test_disc_overlap_agrees_with_a_count_of_points() -> None:
    y, x = (np.indices((801, 801)) - 400) / 200  # a disc of radius 1, and its neighbours'
    here = y**2 + x**2 < 1
    for distance in (0.3, 1.0, 1.7):
        there = y**2 + (x - distance) ** 2 < 1
        counted = (here & there).sum() / here.sum()
        assert disc_overlap(np.array([distance]), 2.0)[0] == pytest.approx(counted, abs=3e-3)


def test_metrics_of_four_corners_of_a_square() -> None:
    """Each corner has two others at the side, one at the diagonal: the three means by hand."""
    square = np.array([[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]])
    side, diagonal = disc_overlap(np.array([10.0, 10 * 2**0.5]), 20.0)
    found = overlap_metrics(
        square, gridsize=2, s_img=1.0, n_groups=1, neighbor_count=3, probe_diameter_px=20.0
    )
    mean = (2 * side + diagonal) / 3
    assert found.metric_1_group_based_avg == pytest.approx(mean, abs=TOLERANCE)
    assert found.metric_2_image_based_avg == pytest.approx(mean, abs=TOLERANCE)
    assert found.metric_3_group_to_group_avg == 0.0
    single = overlap_metrics(
        square, gridsize=1, s_img=1.0, n_groups=1, neighbor_count=2, probe_diameter_px=12.0
    )
    nearest = disc_overlap(np.array([10.0]), 12.0)[0]
    assert single.metric_2_image_based_avg == pytest.approx(nearest, abs=TOLERANCE)
    assert single.metric_3_group_to_group_avg == pytest.approx(nearest, abs=TOLERANCE)
    assert single.n_groups_actual == 4


def test_metrics_are_read_by_field_and_by_name_and_have_metric_1_only_for_groups() -> None:
    found = overlap_metrics(SCATTER, gridsize=1, s_img=0.5, n_groups=9)
    assert isinstance(found, OverlapMetrics)
    assert found["n_images_subsampled"] == found.n_images_subsampled == 30
    assert (found.neighbor_count, found.probe_diameter_px, found.rng_seed_subsample) == (
        6,
        38.4,
        42,
    )
    assert "metric_1_group_based_avg" not in dict(found)
    assert set(asdict(found)) - set(found) == {"metric_1_group_based_avg"}
    json.dumps(dict(found))


@settings(max_examples=40, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=40),
    n_groups=st.integers(1, 60),
    diameter_px=st.floats(0.5, 30),
    neighbor_count=st.integers(1, 9),
)
def test_metrics_agree_with_loops_over_all_pairs(
    points: list[tuple[int, int]], n_groups: int, diameter_px: float, neighbor_count: int
) -> None:
    positions = np.array(points, float)
    groups = overlap_groups(positions, 2, n_groups)
    found = overlap_metrics(
        positions,
        gridsize=2,
        s_img=1.0,
        n_groups=n_groups,
        neighbor_count=neighbor_count,
        probe_diameter_px=diameter_px,
    )
    members, images = [], []
    for group in groups:
        for seed in range(4):
            others = np.delete(positions[group], seed, axis=0)
            distances = np.sort(np.linalg.norm(others - positions[group][seed], axis=1))
            members.append(disc_overlap(distances[:neighbor_count], diameter_px).mean())
    unique = np.array(sorted(set(points)), float)
    for place in unique:
        distances = np.sort(np.linalg.norm(unique - place, axis=1))[1 : 1 + neighbor_count]
        images.append(disc_overlap(distances, diameter_px).mean() if len(distances) else 0.0)
    centres, near = positions[groups].mean(axis=1), []
    for own, centre in enumerate(centres):
        distances = np.delete(np.linalg.norm(centres - centre, axis=1), own)
        inside = distances[distances < diameter_px]
        near.append(disc_overlap(inside, diameter_px).mean() if len(inside) else 0.0)
    assert found.metric_1_group_based_avg == pytest.approx(np.mean(members), abs=TOLERANCE)
    assert found.metric_2_image_based_avg == pytest.approx(np.mean(images), abs=TOLERANCE)
    assert found.metric_3_group_to_group_avg == pytest.approx(np.mean(near), abs=TOLERANCE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gridsize": 3}, "gridsize"),
        ({"gridsize": 0}, "gridsize"),
        ({"s_img": 0.0}, "s_img"),
        ({"s_img": 1.0001}, "s_img"),
        ({"s_img": float("nan")}, "s_img"),
        ({"n_groups": 0}, "n_groups"),
        ({"neighbor_count": 0}, "neighbor_count"),
        ({"probe_diameter_px": 0.0}, "probe_diameter_px"),
        ({"probe_diameter_px": -5.0}, "probe_diameter_px"),
        ({"probe_diameter_px": float("inf")}, "probe_diameter_px"),
        ({"rng_seed_subsample": -1}, "rng_seed_subsample"),
        ({"s_img": 0.05}, "too few"),
        ({"groups": np.array([[0, 1, 2]])}, "groups"),
        ({"groups": np.array([[0, 1, 2, 48]])}, "groups"),
        ({"groups": np.array([[0, 1, 2, -1]])}, "groups"),
        ({"groups": np.zeros((0, 4), int)}, "groups"),
        ({"groups": np.zeros((3, 4))}, "groups"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(GeometryError, match=said):
        overlap_metrics(SCATTER, **(DENSE | change))


@pytest.mark.parametrize(
    "positions", [SCATTER[:, :1], SCATTER[0], SCATTER[:0], np.where(SCATTER > 90, np.nan, SCATTER)]
)
def test_positions_that_are_none_are_refused(positions: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="positions"):
        overlap_metrics(positions, **DENSE)


def test_the_bound_is_zero_without_positions_and_ten_percent_at_most() -> None:
    assert acceptance_bound(np.zeros((0, 2)), 38.4) == 0.0
    assert acceptance_bound(SCATTER * 100, 1.0) == 0.10


def test_dense_acceptance_floor() -> None:
    """Upstream's selector `test_generate_overlap_views_dense_acceptance_floor`, by its formula."""
    line = np.column_stack([np.linspace(0, 50, 50)] * 2)
    found = overlap_metrics(
        line,
        gridsize=1,
        s_img=1.0,
        n_groups=50,
        neighbor_count=3,
        probe_diameter_px=38.4,
        rng_seed_subsample=777,
    )
    bound = min(50.0**2 / (50 * np.pi * 19.2**2), 0.1)
    assert found.geometry_acceptance_bound == pytest.approx(bound, rel=1e-15)
    assert found.effective_min_acceptance == pytest.approx(max(bound, 1e-6), rel=1e-15)


# Reference values of upstream's own code.


def test_every_case_of_upstream_comes_out_again(overlap: Path) -> None:
    arrays = NpzFile(overlap / "overlap.npz")
    seen = 0
    for case in cases(overlap):
        coords, words = given_case(case, arrays)
        expected = case.get("output")
        lax = not (words["probe_diameter_px"] is None or words["probe_diameter_px"] > 0)
        if expected is None or lax or words["neighbor_count"] < 1:
            # Upstream takes a diameter of 0 or less and K = 0, and says 0.0 or NaN.
            assert (
                expected is None
                or expected["metric_1_group_based_avg"] in (0.0, None)
                or (np.isnan(expected["metric_1_group_based_avg"]))
            )
            with pytest.raises(GeometryError):
                overlap_metrics(coords, **words)
            continue
        found = dict(overlap_metrics(coords, **words))
        assert list(found) == list(expected), case["id"]
        if case["inputs"]["coords_are_subsampled"]:
            expected = expected | {"s_img": 1.0}
        for name, value in expected.items():
            assert agrees(found[name], value), (case["id"], name)
        seen += 1
    assert seen > 70


def test_upstreams_groups_are_drawn_again_where_distances_tell_them(overlap: Path) -> None:
    arrays = NpzFile(overlap / "overlap.npz")
    seen = 0
    for case in cases(overlap):
        coords, words = given_case(case, arrays)
        if "groups" not in words or case["knn"].get("groups_with_tie_at_4th"):
            continue
        seed = 42 if words["rng_seed_subsample"] is None else words["rng_seed_subsample"]
        kept = kept_images(len(coords), words["s_img"], seed)
        assert np.array_equal(kept, arrays.array(f"{case['id']}__subsample_indices"))
        ours = overlap_groups(coords[kept], 2, words["n_groups"])
        assert np.array_equal(ours[:, 0], arrays.array(f"{case['id']}__group_seeds"))
        assert np.array_equal(np.sort(ours), np.sort(words["groups"])), case["id"]
        seen += 1
    assert seen > 25


def test_disc_overlap_and_bounds_are_upstreams(overlap: Path) -> None:
    for each in json.loads((overlap / "disc.json").read_text())["disc"]:
        found = disc_overlap(np.array([each["d"]]), each["diameter"])[0]
        assert found == pytest.approx(each["fraction"], abs=TOLERANCE), each
    arrays = NpzFile(overlap / "overlap.npz")
    seen = 0
    known = json.loads((overlap / "geometry_acceptance.json").read_text())["geometry_acceptance"]
    for each in known:
        name = f"coords__{each['geometry']}"
        if name in arrays:
            found = acceptance_bound(arrays.array(name), each["probe_diameter_px"])
            assert found == pytest.approx(each["geometry_acceptance_bound"], rel=1e-15), each
            seen += 1
    assert seen > 50


def test_the_number_of_kept_images_is_upstreams(overlap: Path) -> None:
    rounding = json.loads((overlap / "subsample.json").read_text())["rounding"]
    for each in rounding:
        assert len(kept_images(each["n"], each["s_img"], 0)) == each["kept"], each
    assert len(rounding) > 50


@pytest.mark.parametrize("view", ["dense", "sparse"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_overlap_of_the_real_study(overlap: Path, view: str, split: str) -> None:
    facts = json.loads((overlap / "upstream_study_geometry.json").read_text())
    arrays = NpzFile(overlap / "upstream_study_geometry.npz")
    mask = arrays.array("train_mask") == (split == "train")
    positions = np.column_stack([arrays.array("ycoords"), arrays.array("xcoords")])[mask]
    expected = facts[f"{split}_{view}"]
    words = DENSE if view == "dense" else DENSE | {"gridsize": 1, "s_img": 1.0}
    found = dict(overlap_metrics(positions, **words))
    # Upstream's views say of the subsample that it is all there is.
    assert expected["n_images_total"] == expected["n_images_subsampled"]
    assert found["n_images_total"] == facts[f"n_{split}"]
    for name, value in (expected | {"n_images_total": facts[f"n_{split}"]}).items():
        assert agrees(found[name], value), name
    kept = kept_images(len(positions), words["s_img"], 456)
    assert np.array_equal(kept, arrays.array(f"{split}_{view}_subsample"))
