from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from tests.ptycho.conftest import Scene


def saved(folder: Path, scene: Scene, **changed) -> Path:
    path = folder / "scan.npz"
    np.savez_compressed(path, **scene.members(**changed))
    return path


def test_the_contract_is_read(scene: Scene, tmp_path: Path) -> None:
    scan = open_scan(saved(tmp_path, scene))
    assert (scan.n_frames, scan.patch_px) == (12, 8)
    assert np.array_equal(scan.positions_px, np.stack([scene.y, scene.x], axis=1))
    frames = np.array([[3, 0], [3, 11]]).ravel()
    assert np.array_equal(scan.amplitudes(frames), scene.amplitude[frames])
    assert scan.amplitudes(frames).dtype == np.float32
    assert np.array_equal(scan.object_guess, scene.object)
    assert np.array_equal(scan.probe, scene.probe)
    expected = (scene.amplitude.astype(float) ** 2).sum(axis=(1, 2))
    assert np.allclose(scan.energies(), expected, rtol=1e-14)
    assert scan.survey.maximum == scene.amplitude.max()


@pytest.mark.parametrize("cached", [False, True])
def test_a_legacy_stack_of_counts_is_recognised(scene: Scene, tmp_path: Path, cached: bool) -> None:
    counts = np.rint(scene.amplitude**2).astype(np.uint16)
    legacy = np.ascontiguousarray(np.moveaxis(counts, 0, -1))
    path = saved(tmp_path, scene, diffraction=None, diff3d=legacy)
    scan = open_scan(path, cache_dir=tmp_path / "cache" if cached else None)
    assert "(N, N, n)" in scan.notes[0]
    assert "intensity" in scan.notes[0]
    found = scan.amplitudes(np.arange(12))
    assert np.array_equal(found, np.sqrt(counts.astype(np.float32)))


def test_a_float_stack_under_the_old_name_is_amplitude(scene: Scene, tmp_path: Path) -> None:
    scan = open_scan(saved(tmp_path, scene, diffraction=None, diff3d=scene.amplitude))
    assert not scan.intensity
    assert "amplitude" in scan.notes[0]


def cube(side: int, seed: int, photons: float, width: float, uneven: float) -> np.ndarray:
    """As many frames as pixels on a side, (n, N, N) uint16: few photons, scattered about DC."""
    generator = np.random.default_rng(seed)
    distance_px = np.hypot(*np.mgrid[:side, :side] - side // 2)
    spots = generator.random((side, side, side)) < 0.3
    spots[:, side // 2, side // 2] = True
    mean = np.exp(-((distance_px / (width * side)) ** 2)) * spots
    mean *= photons / mean.sum(axis=(1, 2), keepdims=True)
    mean *= 1 + uneven * generator.uniform(-1, 1, (side, 1, 1))
    return generator.poisson(mean).astype(np.uint16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cubes")


@given(
    side=st.sampled_from([8, 9, 16, 32]),
    seed=st.integers(0, 2**32 - 1),
    photons=st.floats(8, 1e4),
    width=st.floats(0.02, 0.22),
    uneven=st.floats(0, 0.9),
    legacy=st.booleans(),
    fortran=st.booleans(),
)
@settings(deadline=None)
def test_a_cube_of_counts_about_dc_is_read_the_right_way(
    side: int, seed: int, photons: float, width: float, uneven: float, legacy: bool, fortran: bool,
    folder: Path,
) -> None:  # fmt: skip
    counts = cube(side, seed, photons, width, uneven)
    stored = np.moveaxis(counts, 0, -1) if legacy else counts
    stored = np.asfortranarray(stored) if fortran else np.ascontiguousarray(stored)
    path = folder / "scan.npz"
    np.savez(path, diff3d=stored, xcoords=np.arange(side), ycoords=np.arange(side))
    scan = open_scan(path)
    assert ("(N, N, n)" in scan.notes[0]) == legacy
    assert np.array_equal(scan.amplitudes(np.arange(side)), np.sqrt(counts, dtype="f4"))


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_cube_of_measured_frames_is_read_the_right_way(
    legacy: bool, cached: bool, golden_scan_path: Path, tmp_path: Path
) -> None:
    counts = np.rint(400 * open_scan(golden_scan_path).amplitudes(np.arange(64)) ** 2)
    stored = np.moveaxis(counts, 0, -1) if legacy else counts
    path = tmp_path / "scan.npz"
    np.savez(path, diff3d=stored.astype(np.uint16), xcoords=np.arange(64), ycoords=np.arange(64))
    scan = open_scan(path, cache_dir=tmp_path / "cache" if cached else None)
    assert np.array_equal(scan.amplitudes(np.arange(64)), np.sqrt(counts))


@pytest.mark.parametrize(
    "counts",
    [np.full((8, 8, 8), 5), np.fft.ifftshift(cube(8, 1, 1e4, 0.1, 0), axes=(1, 2))],
    ids=["flat", "DC in the corner"],
)
def test_a_cube_that_may_be_read_either_way_is_refused(counts: np.ndarray, tmp_path: Path) -> None:
    scene = Scene(n_frames=8, patch_px=8)
    for stored in (counts, np.moveaxis(counts, 0, -1)):
        path = saved(tmp_path, scene, diffraction=None, diff3d=stored.astype(np.uint16))
        with pytest.raises(InputError, match=r"\(n, N, N\) or \(N, N, n\)") as caught:
            open_scan(path)
        assert "'diffraction'" in str(caught.value)


@pytest.mark.parametrize("name", ["diff3d", "diffraction"])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_cube_of_amplitudes_is_read_the_way_its_values_tell(
    name: str, legacy: bool, tmp_path: Path
) -> None:
    amplitudes = np.sqrt(cube(16, 1, 1e4, 0.1, 0.2)).astype(np.float32)
    stored = np.moveaxis(amplitudes, 0, -1) if legacy else amplitudes
    path = tmp_path / "scan.npz"
    arrays = {name: np.ascontiguousarray(stored)}
    np.savez(path, xcoords=np.arange(16), ycoords=np.arange(16), **arrays)
    scan = open_scan(path, "amplitude")
    assert np.array_equal(scan.amplitudes(np.arange(16)), amplitudes)


def test_a_flat_cube_called_diffraction_has_its_frames_first(tmp_path: Path) -> None:
    scene = Scene(n_frames=8, patch_px=8)
    modern = open_scan(saved(tmp_path, scene))
    assert np.array_equal(modern.amplitudes(np.array([5]))[0], scene.amplitude[5])
    path = saved(tmp_path, scene, diffraction=None, diff3d=scene.amplitude)
    with pytest.raises(InputError, match=r"\(n, N, N\) or \(N, N, n\)"):
        open_scan(path)


def test_the_same_frames_are_read_from_counts_and_from_amplitudes(shared: Path) -> None:
    amplitude = open_scan(shared / "data/siemens_star_small64_counts.npz")
    counts = open_scan(shared / "data/siemens_star_small64_legacy_diff3d_HWN.npz")
    frames = np.array([0, 17, 63])
    assert counts.intensity
    assert not amplitude.intensity
    assert np.allclose(amplitude.amplitudes(frames), counts.amplitudes(frames), atol=1e-5)


@pytest.mark.parametrize(
    ("stored", "doubt"),
    [
        (lambda a: np.rint(a**2), "all whole"),
        (lambda a: a * 1e6 + 0.5, "photons in a pixel"),
        (lambda a: np.moveaxis(a + 0.5, 0, -1), "this layout"),
    ],
)
def test_doubtful_frames_demand_their_kind(stored, doubt, scene: Scene, tmp_path: Path) -> None:
    path = saved(tmp_path, scene, diffraction=None, diff3d=stored(scene.amplitude).astype("f4"))
    with pytest.raises(InputError, match=doubt) as caught:
        open_scan(path)
    assert "--diffraction-kind" in str(caught.value)
    assert open_scan(path, "intensity").intensity
    assert not open_scan(path, "amplitude").intensity
    with pytest.raises(InputError, match="unknown kind of diffraction:"):
        open_scan(path, "power")


def test_double_precision_becomes_single(scene: Scene, tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        scene,
        diffraction=scene.amplitude.astype(np.float64),
        probeGuess=scene.probe.astype(np.complex128),
        objectGuess=scene.object[None].astype(np.complex128),
    )
    scan = open_scan(path)
    assert scan.amplitudes(np.array([1])).dtype == np.float32
    assert (scan.probe.dtype, scan.object_guess.dtype) == (np.complex64, np.complex64)
    assert scan.object_guess.shape == scene.object.shape


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"xcoords": None}, "no array 'xcoords'"),
        ({"diffraction": None}, "holds no diffraction"),
        ({"xcoords": np.zeros(11)}, "lengths"),
        ({"ycoords": np.full(12, np.nan)}, "not all finite"),
        ({"ycoords": np.zeros((12, 2))}, "not positions"),
        ({"ycoords": np.zeros(12, complex)}, "not positions"),
        ({"diffraction": np.ones((12, 8, 6), "f4")}, "not a stack of square frames"),
        ({"diffraction": np.ones((12, 8), "f4")}, "not a stack of square frames"),
        ({"diffraction": np.ones((12, 8, 8), "c8")}, "not a stack of square frames"),
        ({"probeGuess": np.ones((6, 6), "c8")}, "do not fit together"),
        ({"objectGuess": np.eye(4, dtype="c8").reshape(2, 2, 2, 2)}, "not a complex image"),
        ({"objectGuess": np.array([[1, np.nan]], "c8")}, "not finite"),
    ],
)
def test_bad_files_are_refused_by_name(changed, says, scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        open_scan(saved(tmp_path, scene, **changed))


@pytest.mark.parametrize(("value", "frame"), [(np.nan, 4), (np.inf, 11), (-0.5, 0)])
def test_bad_values_in_a_frame_are_found_by_the_survey(
    value: float, frame: int, scene: Scene, tmp_path: Path
) -> None:
    amplitude = scene.amplitude.copy()
    amplitude[frame, 2, 3] = value
    with pytest.raises(InputError, match="not usable") as caught:
        open_scan(saved(tmp_path, scene, diffraction=amplitude), "amplitude").energies()
    assert f"frame {frame} " in str(caught.value)


def test_a_dark_scan_is_refused(scene: Scene, tmp_path: Path) -> None:
    scan = open_scan(saved(tmp_path, scene, diffraction=np.zeros((12, 8, 8), "f4")))
    with pytest.raises(InputError, match="zero everywhere"):
        scan.energies()


def test_without_an_object_there_is_no_truth(scene: Scene, tmp_path: Path) -> None:
    assert open_scan(saved(tmp_path, scene, objectGuess=None)).object_guess is None
    constant = open_scan(saved(tmp_path, scene, objectGuess=np.ones((40, 40), "c8")))
    assert constant.object_guess is None
    assert any("placeholder" in note for note in constant.notes)


def test_metadata_are_read_and_anything_else_in_their_place_is_named(
    scene: Scene, tmp_path: Path
) -> None:
    told = open_scan(saved(tmp_path, scene, _metadata=np.array('{"nphotons": 1e9}', object)))
    assert "the scan's _metadata says nphotons" in told.notes
    broken = open_scan(saved(tmp_path, scene, _metadata=np.array("{", object)))
    assert any("not JSON" in note for note in broken.notes)
    odd = [
        np.array({"a": 1.0}, object),
        np.array({"a": print}, object),
        np.array(["{}", "{}"]),
        np.arange(3),
    ]
    for stored in odd:
        scan = open_scan(saved(tmp_path, scene, _metadata=stored))
        assert any("_metadata was not read" in note for note in scan.notes)
        assert np.array_equal(scan.amplitudes(np.arange(12)), scene.amplitude)
    one = open_scan(saved(tmp_path, scene, _metadata=np.array(['{"nphotons": 1e9}'])))
    assert "the scan's _metadata says nphotons" in one.notes


def test_of_several_probe_modes_the_strongest_is_taken(scene: Scene, tmp_path: Path) -> None:
    modes = np.stack([scene.probe, 3 * scene.probe, 2 * scene.probe])
    scan = open_scan(saved(tmp_path, scene, probeGuess=modes))
    assert np.array_equal(scan.probe, modes[1])


def test_a_normalised_scan_passes_the_fields_check_and_counts_do_not(shared: Path) -> None:
    normalised = open_scan(shared / "data/siemens_star_contract_norm.npz")
    assert normalised.survey.notes == ()
    counts = open_scan(shared / "data/siemens_star_small64_counts.npz")
    assert "normalised data is below 10" in counts.survey.notes[0]


@pytest.mark.parametrize("content", [b"", b"GIF89a..", b"\x89HDF\r\n\x1a\n and no more"])
def test_what_is_no_scan_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    path.write_bytes(content)
    with pytest.raises(InputError):
        open_scan(path)
    with pytest.raises(InputError, match="cannot be opened"):
        open_scan(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="cannot be opened"):
        open_scan(tmp_path)


@pytest.mark.parametrize("unit", [1e30, 1e-30])
def test_a_reconstruction_beyond_single_precision_is_refused(unit: float, tmp_path: Path) -> None:
    path = tmp_path / "recon.npz"
    np.savez(path, reconstructed_object=unit * (1 + np.arange(64.0).reshape(8, 8)) + 0j)
    with pytest.raises(InputError, match="is out of range"):
        open_reconstruction(path)


CONTRACTS = {
    ("legacy_v1", "normalized_amplitude"): "amplitude",
    ("ci_intensity_v2", "count_intensity"): "intensity",
}


@pytest.mark.parametrize("pair", CONTRACTS)
@pytest.mark.parametrize("name", ["diffraction", "diff3d"])
@pytest.mark.parametrize("home", ["members", "metadata"])
def test_the_pair_of_contract_and_domain_says_what_frames_hold(
    pair: tuple[str, str], name: str, home: str, scene: Scene, tmp_path: Path
) -> None:
    kind = CONTRACTS[pair]
    stored = np.rint(scene.amplitude**2).astype(np.float32)  # alone they would be doubtful
    said = dict(zip(("scale_contract_version", "measurement_domain"), pair, strict=True))
    extra = (
        {key: np.array(value) for key, value in said.items()}
        if home == "members"
        else {"_metadata": np.array(json.dumps(said))}
    )
    path = saved(tmp_path, scene, **({"diffraction": None} | {name: stored} | extra))
    scan = open_scan(path)
    assert scan.intensity == (kind == "intensity")
    assert pair[1] in scan.notes[0]
    assert open_scan(path, kind).intensity == scan.intensity
    with pytest.raises(InputError, match="contradicts"):
        open_scan(path, "amplitude" if kind == "intensity" else "intensity")


@pytest.mark.parametrize(
    ("version", "domain"),
    [
        ("legacy_v1", None),
        (None, "count_intensity"),
        ("legacy_v1", "count_intensity"),
        ("ci_intensity_v2", "normalized_amplitude"),
        ("ci_intensity_v3", "count_intensity"),
        ("legacy_v1", ""),
        ("ci_intensity_v2", 3),
    ],
)
def test_half_a_contract_or_an_unknown_one_is_refused(
    version: object, domain: object, scene: Scene, tmp_path: Path
) -> None:
    pair = {"scale_contract_version": version, "measurement_domain": domain}
    said = {name: np.array(value) for name, value in pair.items() if value is not None}
    with pytest.raises(InputError):
        open_scan(saved(tmp_path, scene, **said))
    given = {name: value for name, value in pair.items() if value is not None}
    with pytest.raises(InputError):
        open_scan(saved(tmp_path, scene, _metadata=np.array(json.dumps(given))))


@pytest.mark.parametrize("shape", ["(1, N, N)", "(P, N, N)", "(N, N, 1)", "(N, N, P)"])
def test_modes_of_a_probe_lie_along_any_axis(shape: str, scene: Scene, tmp_path: Path) -> None:
    weak, strong = scene.probe, 3 * scene.probe
    modes = np.stack([weak, strong] if "P" in shape else [strong])
    stored = np.moveaxis(modes, 0, -1) if shape.startswith("(N") else modes
    scan = open_scan(saved(tmp_path, scene, probeGuess=stored))
    assert np.array_equal(scan.probe, strong)
    assert scan.probe_modes is not None
    assert len(scan.probe_modes) == len(modes)
    assert any("2 modes" in note for note in scan.notes) == ("P" in shape)


def test_as_many_modes_as_pixels_are_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="along which axis"):
        open_scan(saved(tmp_path, scene, probeGuess=np.ones((8, 8, 8), np.complex64)))


@pytest.mark.parametrize("turn", [np.abs, np.angle, lambda values: np.rint(np.abs(values) * 9)])
def test_objects_without_a_phase_are_refused(turn, scene: Scene, tmp_path: Path) -> None:
    half = turn(scene.object)
    for stored in (half, half.astype(np.float32), half.astype(np.int32)):
        with pytest.raises(InputError, match="phase is missing"):
            open_scan(saved(tmp_path, scene, objectGuess=stored))
        for name in ("reconstructed_object", "YY_pred"):
            path = tmp_path / "recon.npz"
            np.savez(path, **{name: stored})
            with pytest.raises(InputError, match="phase is missing"):
                open_reconstruction(path)


@pytest.mark.parametrize(
    ("algorithm", "read"),
    [
        (np.array(["ePIE"]), "ePIE"),
        (np.array([b"ePIE"]), "ePIE"),
        (np.array(["ePIE"], object), "ePIE"),
        (np.array(["a", "b"]), None),
        (np.array({"a": 1}, object), None),
        (np.arange(3), None),
    ],
)
def test_an_algorithm_of_odd_shape_blocks_no_reconstruction(
    algorithm: np.ndarray, read: str | None, scene: Scene, tmp_path: Path
) -> None:
    path = tmp_path / "recon.npz"
    np.savez(path, reconstructed_object=scene.object, algorithm=algorithm)
    found = open_reconstruction(path)
    assert found.algorithm == read
    assert np.array_equal(found.object, scene.object)
    assert bool(found.notes) == (read is None)
