from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.ptycho.belonging import truth_doubts
from ptyrun.ptycho.measurement import Scan
from ptyrun.ptycho.order import frame_order
from ptyrun.ptycho.scan import open_scan
from tests.scans import PATCH_PX, small_object, small_probe

MEASURED = (
    "data/siemens_star_contract_norm.npz",
    "data/siemens_star_small64_counts.npz",
    "data/siemens_star_small64_legacy_diff3d_HWN.npz",
    "data/PETRAIII_P25_Near_Field_Ptycho.cxi",
    "golden/hub/data/phase_c/dose_1000/patched_train.npz",
)


@dataclass(frozen=True)
class Frames:
    """Frames in memory."""

    stored: NDArray[np.float32]

    def read(self, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.stored[frames]

    def check(self) -> None:
        """Nothing is known of them."""


def counts(dose_photons: float, n_positions: int = 60, side_px: int = 96) -> Scan:
    """Photon counts, *dose_photons* a frame on average, of a scan with a known object."""
    image, probe = small_object(side_px, side_px), small_probe()
    generator = np.random.default_rng(11)
    half = PATCH_PX // 2
    centres = generator.uniform(half, side_px - half, (n_positions, 2)).round()
    patches = np.stack(
        [image[y - half : y + half, x - half : x + half] for y, x in centres.astype(int)]
    )
    power = np.abs(np.fft.fftshift(np.fft.fft2(patches * probe), axes=(1, 2))) ** 2
    photons = generator.poisson(power * dose_photons / power.sum(axis=(1, 2)).mean())
    frames = Frames(photons.astype(np.float32))
    return Scan(Path("simulated"), centres, PATCH_PX, frames, True, probe, image)


def amplitudes(scan: Scan) -> Scan:
    """The same with amplitudes as they should be stored."""
    return replace(scan, source=Frames(scan.amplitudes(np.arange(scan.n_frames))), intensity=False)


def shuffled(scan: Scan) -> Scan:
    order = np.random.default_rng(3).permutation(scan.n_frames)
    return replace(scan, positions_px=scan.positions_px[order])


@pytest.mark.parametrize("name", MEASURED)
def test_a_measured_scan_is_not_doubted(name: str, shared: Path) -> None:
    assert truth_doubts(open_scan(shared / name)) == ()


@pytest.mark.parametrize("dose_photons", [10, 100, 1e3, 1e4, 1e6])
@pytest.mark.parametrize("n_positions", [13, 60, 300])
def test_a_scan_of_few_photons_or_frames_is_not_doubted(
    dose_photons: float, n_positions: int
) -> None:
    assert truth_doubts(amplitudes(counts(dose_photons, n_positions))) == ()


@pytest.mark.parametrize("name", [MEASURED[0], MEASURED[-1]])
def test_measured_frames_in_another_order_are_doubted(name: str, shared: Path) -> None:
    (doubt,) = truth_doubts(shuffled(open_scan(shared / name)))
    assert "the frames do not belong to their positions" in doubt


@pytest.mark.parametrize("dose_photons", [1e3, 1e4, 1e6])
def test_simulated_frames_in_another_order_are_doubted(dose_photons: float) -> None:
    (doubt,) = truth_doubts(shuffled(amplitudes(counts(dose_photons))))
    assert "the frames do not belong to their positions" in doubt


@pytest.mark.parametrize("scan", [counts(10), counts(1e4, side_px=300)], ids=["dark", "sparse"])
def test_where_neighbours_have_little_in_common_no_order_is_claimed_lost(scan: Scan) -> None:
    assert not frame_order(shuffled(scan)).is_lost


@pytest.mark.parametrize("name", [MEASURED[0], MEASURED[-1]])
def test_an_object_elsewhere_or_another_probe_is_no_lost_order(name: str, shared: Path) -> None:
    scan = open_scan(shared / name)
    elsewhere = replace(scan, object_guess=np.roll(scan.object_guess, (20, 20), axis=(0, 1)))
    for doubtful in (elsewhere, replace(scan, probe=scan.probe.conj())):
        order = frame_order(doubtful)
        assert order.own < 0.2
        assert not order.is_lost


def test_where_no_order_can_be_told_nothing_is_said() -> None:
    scan = counts(1e4)
    few = replace(scan, positions_px=scan.positions_px[:11])
    flat = replace(scan, object_guess=np.ones_like(scan.object_guess))
    assert frame_order(few) is None
    assert not frame_order(flat).is_lost
    for without in ({"object_guess": None}, {"probe": None}, {"near_field": True}):
        assert frame_order(replace(scan, **without)) is None


@pytest.mark.parametrize("dose_photons", [1e3, 1e4, 1e6])
def test_intensities_taken_as_amplitudes_are_doubted(dose_photons: float) -> None:
    (doubt,) = truth_doubts(replace(counts(dose_photons), intensity=False))
    assert "the diffraction looks like intensity: say --diffraction-kind intensity" in doubt


def test_normalised_intensities_of_a_known_object_are_doubted(golden_scan_path: Path) -> None:
    scan = open_scan(golden_scan_path)
    squared = scan.amplitudes(np.arange(scan.n_frames)) ** 2
    (doubt,) = truth_doubts(replace(scan, source=Frames(squared / squared.max())))
    assert "looks like intensity" in doubt
