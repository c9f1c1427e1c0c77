"""Does an object that goes on beyond the image's edges lie where it does?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ptyrun.config import EvaluationOptions
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.metrics.continuation import MARGIN_PX, continued, margin_px
from ptyrun.ptycho.metrics.evaluation import evaluate
from tests.ptycho.metrics.objects import noise

Image = np.ndarray[Any, np.dtype[np.float64]]
SHAPE = (101, 130)


def blobs(y: Image, x: Image, width_px: float) -> Image:
    generator = np.random.default_rng(4)
    image = np.zeros(y.shape)
    for row, column in generator.uniform(-90, 90, (60, 2)):
        image += np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * (2 * width_px) ** 2))
    return image / image.max()


def star(y: Image, x: Image, width_px: float) -> Image:
    far = np.hypot(y + 0.3, x + 0.2)
    spokes = np.sin(12 * np.arctan2(y + 0.3, x + 0.2)) * far / (12 * width_px)
    return (0.5 + 0.5 * np.tanh(spokes)) * (1 - np.exp(-((far / 25) ** 4)))


def grating(y: Image, x: Image, width_px: float) -> Image:
    waves = np.sin(2 * np.pi * (0.39 * y + 0.92 * x) / (8 * width_px))
    return 0.5 + 0.5 * waves + 0.6 * blobs(y, x, width_px)


def edge(y: Image, x: Image, width_px: float) -> Image:
    return 1 / (1 + np.exp(-(x + 0.1 * y) / width_px)) + 0.3 * blobs(y, x, width_px)


@pytest.mark.parametrize(
    "shift",
    [
        (0.37, -0.62),
        pytest.param((5.0, 3.0), marks=pytest.mark.slow),
        pytest.param((-7.4, 6.3), marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(("width_px", "limit_px"), [(1.2, 0.01), (3.0, 0.03)])
@pytest.mark.parametrize("pattern", [blobs, star, grating, edge])
def test_what_goes_on_beyond_the_edges_is_registered(
    pattern: Callable[[Image, Image, float], Image],
    width_px: float,
    limit_px: float,
    shift: tuple[float, float],
) -> None:
    generator = np.random.default_rng(2)
    y, x = (each - each.mean() for each in np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float))

    def shown(y: Image, x: Image) -> Any:
        image = pattern(y, x, width_px)
        return (1 - 0.2 * image) * np.exp(0.5j * image)

    noisy = noise(max(SHAPE), generator, 0.002)[: SHAPE[0], : SHAPE[1]]
    moved, truth = shown(y - shift[0], x - shift[1]) + noisy, shown(y, x)
    found = evaluate(
        moved.astype(np.complex64), truth.astype(np.complex64), np.ones(SHAPE), EvaluationOptions()
    )
    assert found.shift is not None
    off = np.hypot(found.shift.dy_px + shift[0], found.shift.dx_px + shift[1])
    assert off < limit_px
    assert found.standard["mae"].phase < 0.01


def test_only_what_lies_near_an_edge_goes_on() -> None:
    assert margin_px(Region(16, 16, 68, 68), (100, 100)) == 0
    assert margin_px(Region(15, 16, 68, 68), (100, 100)) == MARGIN_PX
    assert margin_px(Region(0, 0, 20, 100), (20, 100)) == 19


def test_a_continued_image_is_itself_in_the_middle_and_meets_itself_at_its_ends() -> None:
    y, x = np.mgrid[:40, :50]
    image = np.exp(0.05j * y + 0.08j * x)
    found = continued(image, 12)
    assert found.shape == (64, 74)
    assert found[12:-12, 12:-12] == pytest.approx(image)
    for axis in (0, 1):
        jumps = np.abs(found - np.roll(found, 1, axis))
        assert jumps.max() < 0.35
    assert continued(image, 0) is image
