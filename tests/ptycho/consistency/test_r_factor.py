from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import fft

from ptyrun.ptycho.consistency.r_factor import N_FRAMES, drawn, frame_sums, frames_within
from ptyrun.ptycho.readers.opening import Scan, open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from tests.scans import small_object, small_probe, write_scan


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return open_scan(write_scan(tmp_path_factory.mktemp("scan") / "scan.npz"))


@pytest.fixture(scope="module")
def star(shared: Path) -> Scan:
    return open_scan(shared / "data/siemens_star_contract_norm.npz")


def r_factor(scan: Scan, image, modes=None, covered=None) -> float:
    covered = np.ones(image.shape, bool) if covered is None else covered
    frames = drawn(frames_within(scan, covered), N_FRAMES)
    modes = scan.probe_modes if modes is None else modes
    return frame_sums(scan, image, modes, frames).r_factor()


def plainly(scan: Scan, image, modes, frames) -> tuple[float, float]:
    """The same, in one formula; the scan's positions are whole."""
    side, models = scan.patch_px, []
    for y, x in scan.positions_px[frames].astype(int) - side // 2:
        waves = np.fft.fft2(modes * image[y : y + side, x : x + side])
        models.append(np.fft.fftshift(np.sqrt((np.abs(waves) ** 2).sum(axis=0))))
    measured, model = scan.amplitudes(frames).astype(float), np.array(models)
    rest = (model * measured).sum() / (model**2).sum() * model - measured
    return np.abs(rest).sum() / measured.sum(), (rest**2).sum() / (measured**2).sum()


def test_it_is_the_formula_and_blind_to_one_factor(scan: Scan) -> None:
    image = small_object()
    modes = np.stack([small_probe(), 0.4 * small_probe()[::-1].T])
    frames = frames_within(scan, np.ones(image.shape, bool))
    found = frame_sums(scan, image, modes, frames)
    expected = plainly(scan, image, modes, frames)
    assert (found.r_factor(), found.fourier_error()) == pytest.approx(expected, rel=1e-4)
    turned = frame_sums(scan, 3j * image, modes, frames)
    assert turned.r_factor() == pytest.approx(found.r_factor(), rel=1e-4)
    assert found.r_factor(np.ones(len(frames))) == found.r_factor()


def test_pixels_that_were_not_measured_do_not_count(scan: Scan) -> None:
    """The middle of each frame is hidden, as behind a beam stop, where most of its light is."""

    @dataclass(frozen=True)
    class Hidden:
        def read(self, frames):
            return np.where(bad, 0, scan.source.read(frames))

    bad = np.zeros((scan.patch_px,) * 2, bool)
    middle = scan.patch_px // 2
    bad[middle - 1 : middle + 1, middle - 1 : middle + 1] = True
    image = small_object()
    hidden = replace(scan, source=Hidden(), surveyed=None)
    seen, blamed = (
        r_factor(replace(hidden, bad_pixels=mask), image) for mask in (bad, np.zeros_like(bad))
    )
    assert blamed > 2 * seen, "without the mask the object is blamed for what was hidden"


def test_many_frames_are_modelled_block_by_block_to_the_same_figures(
    scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = frames_within(scan, np.ones((96, 90), bool))
    at_once = frame_sums(scan, small_object(), scan.probe_modes, frames)
    monkeypatch.setattr("ptyrun.ptycho.consistency.measured_frames.BLOCK_BYTES", 1)
    monkeypatch.setattr("ptyrun.ptycho.consistency.measured_frames.KEPT_BYTES", 0)
    one_by_one = frame_sums(scan, small_object(), scan.probe_modes, frames)
    assert one_by_one.r_factor() == pytest.approx(at_once.r_factor(), rel=1e-6)


@pytest.mark.parametrize(
    "turn",
    [np.conj, lambda image: image.T, lambda image: image[::-1], lambda image: image[:, ::-1]],
    ids=["conjugated", "transposed", "upside down", "left to right"],
)
def test_a_turned_object_leaves_much_more(turn, scan: Scan) -> None:
    image = small_object()[:90]
    within = frames_within(scan, np.ones((90, 90), bool))
    right = frame_sums(scan, image, scan.probe_modes, within)
    wrong = frame_sums(scan, np.ascontiguousarray(turn(image)), scan.probe_modes, within)
    assert wrong.r_factor() > 1.5 * right.r_factor()


def test_the_truth_leaves_noise_alone_and_exchanged_positions_much_more(scan: Scan) -> None:
    right = r_factor(scan, small_object())
    assert right < 0.1
    exchanged = replace(scan, positions_px=scan.positions_px[:, ::-1].copy())
    assert r_factor(exchanged, small_object()) > 3 * right


def test_between_pixels_the_probe_is_moved() -> None:
    """A smooth object and a probe moved by half a pixel, measured on a grid twice as fine."""
    side, n = 32, 96
    y, x = np.mgrid[: 2 * n, : 2 * n] / 2
    image = (1 + 0.2 * np.sin(y / 3)) * np.exp(0.5j * np.cos(x / 4 + y / 6))
    axis = np.arange(2 * side) / 2 - side / 2
    probe = np.exp(-(np.add.outer(axis**2, axis**2)) / 40)
    positions = np.array([[40.5, 41.0], [50.0, 37.5], [44.5, 52.5], [48.0, 48.0]])
    frames = []
    for corner in (2 * (positions - side / 2)).astype(int):
        patch = image[corner[0] : corner[0] + 2 * side, corner[1] : corner[1] + 2 * side]
        # Of the finer grid the low half of frequencies is what the detector sees.
        spectrum = fft.fftshift(fft.fft2(probe * patch))[
            side // 2 : -side // 2, side // 2 : -side // 2
        ]
        frames.append(np.abs(spectrum))
    scan = in_memory(positions, np.array(frames), probe[::2, ::2])
    moved = r_factor(scan, image[::2, ::2])
    assert moved < 0.003
    rounded = replace(scan, positions_px=np.rint(positions))
    assert r_factor(rounded, image[::2, ::2]) > 5 * moved


class Frames:
    def __init__(self, values) -> None:
        self.values = values

    def read(self, frames):
        return self.values[frames]

    def check(self) -> None:
        pass


def in_memory(positions, frames, probe) -> Scan:
    return Scan(Path("scan"), positions, frames.shape[1], Frames(frames), False, probe)


def test_modes_that_are_left_out_leave_more() -> None:
    rng = np.random.default_rng(5)
    image, side = small_object(), 32
    modes = np.stack([small_probe(), 0.5 * np.roll(small_probe(), 5, axis=0)])
    positions = rng.integers(20, 70, (20, 2)).astype(float)
    frames = []
    for y, x in positions.astype(int) - side // 2:
        waves = np.fft.fft2(modes * image[y : y + side, x : x + side])
        frames.append(np.fft.fftshift(np.sqrt((np.abs(waves) ** 2).sum(axis=0))))
    scan = replace(in_memory(positions, np.array(frames), modes[0]), weaker_modes=modes[1:])
    assert r_factor(scan, image) < 1e-4
    assert r_factor(replace(scan, weaker_modes=None), image) > 0.02


@given(st.integers(0, 2**32 - 1))
def test_frames_lie_within_what_is_covered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    covered = rng.random((40, 44)) < 0.997
    positions = rng.uniform(-4, 48, (30, 2))
    scan = in_memory(positions, np.ones((30, 8, 8)), None)
    expected = []
    for frame, (y, x) in enumerate(np.rint(positions).astype(int) - 4):
        inside = y >= 0 and x >= 0 and y + 8 <= 40 and x + 8 <= 44
        if inside and covered[y : y + 8, x : x + 8].all():
            expected.append(frame)
    assert frames_within(scan, covered).tolist() == expected


def test_the_same_frames_are_drawn_each_time() -> None:
    frames = np.arange(3, 2003)
    assert drawn(frames, None) is frames
    assert drawn(frames, 512).tolist() == drawn(frames, 512).tolist()
    assert len(set(drawn(frames, 512).tolist())) == 512


def test_all_modes_of_a_file_are_read(tmp_path: Path) -> None:
    modes = np.stack([0.5 * small_probe(), small_probe(), 0.2 * small_probe()])
    opened = open_scan(write_scan(tmp_path / "scan.npz", probeGuess=modes))
    assert np.array_equal(opened.probe, modes[1]), "the strongest comes first"
    assert np.array_equal(opened.probe_modes, modes[[1, 0, 2]])
    arm = {"reconstructed_object": small_object(), "reconstructed_probe": modes[:, None]}
    np.savez(tmp_path / "arm.npz", allow_pickle=False, **arm)
    assert np.array_equal(open_reconstruction(tmp_path / "arm.npz").probe_modes, modes)


def test_the_stars_arms_explain_the_frames_and_turned_ones_do_not(star: Scan, shared: Path) -> None:
    """Each with its own probe; the frames are the star's, of tike's test data."""
    good, poor = (
        open_reconstruction(shared / f"data/siemens_ptychi_lsqml_1mode_{epochs}.npz")
        for epochs in ("60ep", "5ep_unconverged")
    )
    assert r_factor(star, good.object, good.probe_modes) == pytest.approx(0.158, abs=0.002)
    assert r_factor(star, poor.object, poor.probe_modes) == pytest.approx(0.206, abs=0.002)
    square = good.object[: min(good.object.shape), : min(good.object.shape)]
    for turned in (square.conj(), square.T, square[::-1], square[:, ::-1]):
        assert r_factor(star, turned, good.probe_modes) > 0.32
    exchanged = replace(star, positions_px=star.positions_px[:, ::-1].copy())
    assert r_factor(exchanged, good.object, good.probe_modes) > 0.32
