from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ptyrun.ptycho.consistency.frame_order import frame_order
from ptyrun.ptycho.consistency.verdict import truth_doubts
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.scan import Scan
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


def counts(
    dose_photons: float, n_positions: int = 60, side_px: int = 96, contrast: float = 1.0
) -> Scan:
    """Photon counts, *dose_photons* a frame on average, of a scan with a known object."""
    image, probe = small_object(side_px, side_px) ** contrast, small_probe()
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


@pytest.mark.parametrize("lost", [1e30, -900.0, 900.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_single_position_that_is_far_from_all_others_is_named(lost: float, axis: int) -> None:
    scan = amplitudes(counts(1e4))
    scan.positions_px[7, axis] = lost
    (doubt,) = truth_doubts(scan)
    assert "1 of 60 positions lie far from all others" in doubt
    assert "frame 7 at" in doubt


@pytest.mark.parametrize("dose_photons", [10, 100, 1e3, 1e4, 1e6])
@pytest.mark.parametrize("n_positions", [13, 60, 300])
def test_a_scan_of_few_photons_or_frames_is_not_doubted(
    dose_photons: float, n_positions: int
) -> None:
    assert truth_doubts(amplitudes(counts(dose_photons, n_positions))) == ()


@pytest.mark.parametrize("dose_photons", [10, 100, 1e3, 1e4, 1e6])
@pytest.mark.parametrize("contrast", [0.01, 0.1, 0.3])
def test_a_weak_object_is_not_doubted(dose_photons: float, contrast: float) -> None:
    scan = amplitudes(counts(dose_photons, contrast=contrast))
    assert truth_doubts(scan) == ()
    # Nor is it with positions that change next to nothing.
    if contrast == 0.01:
        assert truth_doubts(shuffled(scan)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", [MEASURED[0], MEASURED[-1]])
@pytest.mark.parametrize("n_frames", [12, 40])
def test_a_part_of_a_measured_scan_is_not_doubted(name: str, n_frames: int, shared: Path) -> None:
    scan = open_scan(shared / name)
    for seed in range(5):
        part = np.random.default_rng(seed).choice(scan.n_frames, n_frames, replace=False)
        frames = Frames(scan.amplitudes(part))
        cut = replace(scan, positions_px=scan.positions_px[part], source=frames, intensity=False)
        assert truth_doubts(cut) == ()


def mirrored(scan: Scan) -> Scan:
    width = np.array(scan.object_guess.shape)[1]
    return replace(scan, positions_px=np.abs(np.array([0, width]) - scan.positions_px))


def moved(scan: Scan) -> Scan:
    return replace(scan, positions_px=scan.positions_px + 20)


def doubled(scan: Scan) -> Scan:
    return replace(scan, positions_px=scan.positions_px * 2)


def without_phase(scan: Scan) -> Scan:
    return replace(scan, object_guess=np.abs(scan.object_guess).astype(np.complex64))


def rolled(scan: Scan) -> Scan:
    return replace(scan, object_guess=np.roll(np.asarray(scan.object_guess), (20, 31), axis=(0, 1)))


@pytest.fixture(params=["measured", "simulated", "of few photons"])
def good(request: pytest.FixtureRequest, golden_scan_path: Path) -> Scan:
    if request.param == "measured":
        return open_scan(golden_scan_path)
    return amplitudes(counts(1e6 if request.param == "simulated" else 100, n_positions=100))


@pytest.mark.parametrize("spoil", [moved, doubled, rolled, mirrored])
def test_an_object_that_does_not_explain_the_frames_is_doubted(
    spoil: Callable[[Scan], Scan], good: Scan
) -> None:
    doubt = " ".join(truth_doubts(spoil(good)))
    # A mirror about the middle of the object, and an offset, are known by their names.
    names = (
        "objectGuess does not explain the frames: residual 0.",
        "left to",
        "positions moved by",
    )
    assert any(name in doubt for name in names)


def test_an_object_that_lacks_its_phase_is_doubted(golden_scan_path: Path) -> None:
    scan = open_scan(golden_scan_path)
    first = replace(scan, positions_px=scan.positions_px[:200])
    (doubt,) = truth_doubts(without_phase(first))
    assert "objectGuess does not explain the frames: residual 0.30, and 0.31 with" in doubt
    assert "positions shuffled; figures against it mean little" in doubt


@pytest.mark.parametrize("has_probe", [True, False])
@pytest.mark.parametrize(
    ("spoil", "n_inside"),
    [(lambda p: p - p.mean(axis=0), 88), (lambda p: p * 0.01, 0)],
    ids=["centred", "micrometres"],
)
def test_positions_that_are_not_in_the_objects_pixels_are_doubted(
    spoil: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    n_inside: int,
    has_probe: bool,
    golden_scan_path: Path,
) -> None:
    scan = open_scan(golden_scan_path)
    probe = scan.probe if has_probe else None
    doubt = " ".join(
        truth_doubts(replace(scan, positions_px=spoil(scan.positions_px), probe=probe))
    )
    outside = f"only {n_inside} of 891 frames lie wholly inside objectGuess (384 x 256 px)"
    assert (outside if n_inside else "all 891 positions lie within 1.47 x 1.79 px") in doubt


def test_where_an_object_that_explains_the_frames_covers_a_part_that_alone_is_said(
    golden_scan_path: Path,
) -> None:
    scan = open_scan(golden_scan_path)
    (doubt,) = truth_doubts(replace(scan, object_guess=scan.object_guess[:100, :100]))
    assert "only 32 of 891 frames lie wholly inside objectGuess (100 x 100 px)" in doubt
    few = replace(scan, positions_px=scan.positions_px[:3])
    assert truth_doubts(few) == ()


@pytest.mark.parametrize(
    ("turn", "name"),
    [
        (lambda frames: frames.transpose(0, 2, 1), "each frame transposed"),
        (lambda frames: np.fft.ifftshift(frames, axes=(1, 2)), "the zero frequency in the corner"),
    ],
)
def test_turned_frames_are_named_with_their_turn(
    turn: Callable[[NDArray[np.float32]], NDArray[np.float32]], name: str, good: Scan
) -> None:
    frames = Frames(turn(good.amplitudes(np.arange(good.n_frames))))
    (doubt,) = truth_doubts(replace(good, source=frames, intensity=False))
    assert f"explains the frames better with {name}" in doubt
    assert "patches predicted from these frames mean little" in doubt


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
    assert not frame_order(shuffled(scan)).is_shuffled


@pytest.mark.parametrize("name", [MEASURED[0], MEASURED[-1]])
def test_an_object_elsewhere_or_another_probe_is_no_lost_order(name: str, shared: Path) -> None:
    scan = open_scan(shared / name)
    elsewhere = replace(
        scan, object_guess=np.roll(np.asarray(scan.object_guess), (20, 20), axis=(0, 1))
    )
    for doubtful in (elsewhere, replace(scan, probe=scan.probe.conj())):
        order = frame_order(doubtful)
        assert order.own < 0.2
        assert not order.is_shuffled


def test_where_no_order_can_be_told_nothing_is_said() -> None:
    scan = counts(1e4)
    few = replace(scan, positions_px=scan.positions_px[:11])
    flat = replace(scan, object_guess=np.ones_like(scan.object_guess))
    assert frame_order(few) is None
    assert not frame_order(flat).is_shuffled
    for without in ({"object_guess": None}, {"probe": None}, {"near_field": True}):
        assert frame_order(replace(scan, **without)) is None


@pytest.mark.parametrize("dose_photons", [1e3, 1e4, 1e6])
def test_intensities_taken_as_amplitudes_are_doubted(dose_photons: float) -> None:
    (doubt,) = truth_doubts(replace(counts(dose_photons), intensity=False))
    assert "the diffraction looks like intensity: use --diffraction-kind intensity" in doubt


def test_normalised_intensities_of_a_known_object_are_doubted(golden_scan_path: Path) -> None:
    scan = open_scan(golden_scan_path)
    squared = scan.amplitudes(np.arange(scan.n_frames)) ** 2
    (doubt,) = truth_doubts(replace(scan, source=Frames(squared / squared.max())))
    assert "looks like intensity" in doubt
