from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptyrun.errors import GeometryError
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.simulation.positions import simulated_positions
from ptyrun.study import split_positions


def test_positions_of_the_real_study() -> None:
    """10304 on an object of 464 x 464: upstream's log, in full precision."""
    positions = simulated_positions((464, 464), (128, 128), 10304, 42)
    assert positions.shape == (10304, 2)
    assert positions[:, 0].min() == 64.05300217822706
    assert positions[:, 0].max() == 399.9747418159473
    train, test = split_positions(positions[:, 0])
    assert (len(train), len(test)) == (5088, 5216)


def test_positions_are_upstreams_one_by_one(golden: Path) -> None:
    arrays = NpzFile(golden / "study" / "overlap" / "upstream_study_geometry.npz")
    positions = simulated_positions((464, 464), (128, 128), 10304, 42)
    assert np.array_equal(positions[:, 0], arrays.array("ycoords"))
    assert np.array_equal(positions[:, 1], arrays.array("xcoords"))


def test_positions_keep_half_the_longer_side_of_the_probe_free() -> None:
    positions = simulated_positions((50, 90), (8, 20), 500, 7)
    assert (positions >= 10).all()
    assert (positions < [40, 80]).all()
    assert positions[:, 0].max() > 39
    assert positions[:, 1].max() > 79


def test_the_global_generator_is_left_alone() -> None:
    np.random.seed(5)
    expected = np.random.uniform()
    np.random.seed(5)
    simulated_positions((50, 50), (8, 8), 3, 1)
    assert np.random.uniform() == expected


@pytest.mark.parametrize(
    ("shape", "n_positions", "seed"),
    [((128, 200), 5, 0), ((200, 200), 0, 0), ((200, 200), 5, -1), ((200, 200), 5, 1 << 32)],
)
def test_what_cannot_be_drawn_is_refused(
    shape: tuple[int, int], n_positions: int, seed: int
) -> None:
    with pytest.raises(GeometryError, match="positions"):
        simulated_positions(shape, (128, 128), n_positions, seed)
