"""Are patches named that a network gives conjugated, transposed, turned round or inverted?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptyrun.ptycho.consistency.patch_fit import TURNS, patch_doubt
from ptyrun.ptycho.readers.opening import Scan, open_scan
from tests.scans import PATCH_PX, small_object, write_scan

Patches = np.ndarray[tuple[int, int, int], np.dtype[np.complex64]]
# A word of each name, and what a network would do to be named so.
FAULTS = {
    "conjugated": np.conj,
    "transposed": lambda patches: patches.transpose(0, 2, 1),
    "upside down": lambda patches: patches[:, ::-1],
    "left to right": lambda patches: patches[:, :, ::-1],
    "half a turn": lambda patches: patches[:, ::-1, ::-1],
}


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return open_scan(write_scan(tmp_path_factory.mktemp("scan") / "scan.npz"))


def true_patches(scan: Scan, seed: int, strength: float) -> Patches:
    """What a good network would give at each position, up to a factor and some noise."""
    generator = np.random.default_rng(seed)
    image, half = small_object(), PATCH_PX // 2
    corners = np.rint(scan.positions_px).astype(int) - half
    patches = np.stack([image[y : y + PATCH_PX, x : x + PATCH_PX] for y, x in corners])
    grain = strength * generator.standard_normal((2, *patches.shape))
    return (0.7j * patches * (1 + grain[0]) * np.exp(1j * grain[1])).astype(np.complex64)


def doubt(scan: Scan, patches: Patches) -> str | None:
    frames = np.arange(len(patches))[:, None]
    return patch_doubt(scan, patches, scan.positions_px[frames], frames)


@pytest.mark.parametrize("strength", [0.0, 0.1])
@pytest.mark.parametrize("n_groups", [16, 60])
def test_right_patches_are_not_doubted(scan: Scan, n_groups: int, strength: float) -> None:
    assert doubt(scan, true_patches(scan, 1, strength)[:n_groups]) is None


@pytest.mark.parametrize("strength", [0.0, 0.1])
@pytest.mark.parametrize("name", FAULTS)
def test_patches_of_another_orientation_are_named(scan: Scan, name: str, strength: float) -> None:
    turned = FAULTS[name](true_patches(scan, 2, strength))
    said = doubt(scan, np.ascontiguousarray(turned))
    assert said is not None and name in said
    assert any(known in said for known in TURNS)


def test_patches_that_explain_nothing_are_not_called_turned(scan: Scan) -> None:
    generator = np.random.default_rng(3)
    parts = generator.standard_normal((2, 60, PATCH_PX, PATCH_PX))
    assert doubt(scan, (parts[0] + 1j * parts[1]).astype(np.complex64)) is None


def test_nothing_is_said_without_a_probe(tmp_path: Path, scan: Scan) -> None:
    blind = open_scan(write_scan(tmp_path / "scan.npz", probeGuess=None))
    turned = true_patches(scan, 4, 0.0).conj()
    assert doubt(blind, turned) is None
    assert doubt(scan, turned) is not None, "the case shows nothing"
