"""Bad input is named before any work, with exit code 2."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ptyrun.cli.commands import cli
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.records import Started
from ptyrun.paths import RunPaths
from tests.scans import scan_arrays, write_network, write_scan
from tests.studies import Study, ptyrun

TRUST_OTHER = "--trust-model=other"


def nan_diffraction() -> np.ndarray:
    frames = scan_arrays()["diffraction"].copy()
    frames[5, 3, 3] = np.nan
    return frames


SCANS: dict[str, tuple[Callable[[], dict[str, np.ndarray | None]], str]] = {
    "key missing": (lambda: {"xcoords": None}, "xcoords"),
    "no diffraction": (lambda: {"diffraction": None}, "diffraction"),
    "wrong shape": (lambda: {"diffraction": np.ones((60, 32), np.float32)}, "diffraction"),
    "no square": (lambda: {"diffraction": np.ones((60, 32, 30), np.float32)}, "(60, 32, 30)"),
    "wrong dtype": (lambda: {"diffraction": np.full((60, 32, 32), "x")}, "diffraction"),
    "complex": (lambda: {"diffraction": np.ones((60, 32, 32), np.complex64)}, "complex64"),
    "positions of wrong dtype": (lambda: {"ycoords": np.full(60, "x")}, "ycoords"),
    "NaN position": (lambda: {"xcoords": np.r_[np.ones(59), np.nan]}, "frame 59"),
    "nothing measured": (lambda: {"diffraction": np.zeros((60, 32, 32))}, "zero everywhere"),
    "no frames": (lambda: {k: v[:0] for k, v in scan_arrays().items() if k[0] in "dxy"}, "0"),
    "NaN": (lambda: {"diffraction": nan_diffraction()}, "frame 5"),
    "negative": (lambda: {"diffraction": -scan_arrays()["diffraction"]}, "frame 0"),
    "next to no object": (
        lambda: {"objectGuess": scan_arrays()["objectGuess"][:10, :7]},
        "px of the reference were scanned",
    ),
    "unequal lengths": (lambda: {"xcoords": np.ones(59)}, "lengths"),
    "positions in metres": (
        lambda: {k: v * 1e-8 for k, v in scan_arrays().items() if k[1:] == "coords"},
        "the positions span 0.00 px",
    ),
    "all positions equal": (
        lambda: {k: v * 0 + 40 for k, v in scan_arrays().items() if k[1:] == "coords"},
        "the positions span 0.00 px",
    ),
    "too few positions": (
        lambda: {k: v[:4] for k, v in scan_arrays().items() if k[0] in "dxy"},
        "too few",
    ),
}


@pytest.mark.parametrize("case", SCANS)
def test_a_scan_that_cannot_be_used_is_named(case: str, study: Study, tmp_path: Path) -> None:
    make, named = SCANS[case]
    bad = write_scan(tmp_path / "bad.npz", **make())
    words = [w for w in study.words(tmp_path / "run") if "test_data" not in w]
    assert_refused([*words, f"--test_data={bad}"], named, tmp_path / "run")


def test_a_stray_position_beyond_all_memory_is_named_while_planning(
    study: Study, tmp_path: Path
) -> None:
    places = scan_arrays()["xcoords"].copy()
    places[7] = 1e12
    bad = write_scan(tmp_path / "bad.npz", xcoords=places, objectGuess=None)
    words = [w for w in study.words(tmp_path / "run") if "test_data" not in w]
    words.append(f"--test_data={bad}")
    assert_refused(words, "position: number 7", tmp_path / "run")
    assert_refused(["plan", *words[1:], "--dry-run"], "all of the machine's", tmp_path / "run")


def test_a_changed_byte_of_a_scan_is_found_before_any_work(study: Study, tmp_path: Path) -> None:
    whole = bytearray(study.scan.read_bytes())
    whole[len(whole) // 3] ^= 1  # in the frames, which lie there as they are
    bad = tmp_path / "bad.npz"
    bad.write_bytes(whole)
    words = [w for w in study.words(tmp_path / "run") if "test_data" not in w]
    assert_refused([*words, f"--test_data={bad}"], "'diffraction'", tmp_path / "run")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 torn"])
def test_a_file_that_is_no_scan_is_named(content: bytes, study: Study, tmp_path: Path) -> None:
    bad = tmp_path / "bad.npz"
    bad.write_bytes(content)
    words = [w for w in study.words(tmp_path / "run") if "test_data" not in w]
    assert_refused([*words, f"--test_data={bad}"], "bad.npz", tmp_path / "run")


RECONSTRUCTIONS: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "key missing": ({"other": np.ones(3)}, "reconstructed_object"),
    "not an image": ({"reconstructed_object": np.ones(5, np.complex64)}, "shape (5,)"),
    "NaN": (
        {"reconstructed_object": np.full((90, 90), np.nan + 0j)},
        "8100 values are NaN or infinite, the first at row 0, column 0",
    ),
    "one NaN": (
        {"reconstructed_object": np.where(np.arange(8100).reshape(90, 90) == 275, np.nan, 1 + 0j)},
        "the value at row 3, column 5 is NaN or infinite",
    ),
    "zero": ({"reconstructed_object": np.zeros((96, 90), np.complex64)}, "every value is 0"),
    "constant": ({"reconstructed_object": np.full((96, 90), 1 + 1j)}, "every value is 1+1j"),
}


@pytest.mark.parametrize("case", RECONSTRUCTIONS)
def test_a_reconstruction_that_cannot_be_used_is_named(
    case: str, study: Study, tmp_path: Path
) -> None:
    arrays, named = RECONSTRUCTIONS[case]
    bad = tmp_path / "bad.npz"
    np.savez(bad, allow_pickle=False, **arrays)
    words = [w for w in study.words(tmp_path / "run") if "tike_recon" not in w]
    assert_refused([*words, f"--tike_recon_path={bad}"], named, tmp_path / "run")


def test_a_reconstruction_that_carries_nothing_is_named_by_a_dry_run_too(
    study: Study, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.npz"
    np.savez(empty, reconstructed_object=np.zeros((96, 90), np.complex64))
    words = [f"--test_data={study.scan}", f"--tike_recon_path={empty}"]
    done = ptyrun("plan", *words, f"--output_dir={tmp_path / 'run'}", "--dry-run")
    assert done.returncode == 2
    assert f"the reconstruction {empty} contains no usable values" in done.stderr


def test_a_missing_file_is_named(study: Study, tmp_path: Path) -> None:
    words = [w for w in study.words(tmp_path / "run") if "test_data" not in w]
    assert_refused([*words, "--test_data=/nowhere/scan.npz"], "/nowhere/scan.npz", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_groups_are_looked_for_in_the_path_that_was_given(
    study: Study, tmp_path: Path
) -> None:
    words = study.words(tmp_path / "run", f"--groups-from={tmp_path / 'nope.npz'}")
    said = CliRunner().invoke(cli, words).stderr
    assert "do:  check the path" in said
    assert "new place" not in said


def test_a_folder_without_a_model_is_named(study: Study, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = [w for w in study.words(tmp_path / "run") if "pinn_dir" not in w]
    assert_refused([*words, f"--pinn_dir={empty}"], "no model", tmp_path / "run")


def test_a_model_for_another_channel_count_is_named(study: Study, tmp_path: Path) -> None:
    other = write_network(tmp_path / "other", gridsize=1)
    more = f"--arm=name=other,path={other},gridsize=2"
    assert_refused([*study.words(tmp_path / "run"), more, TRUST_OTHER], "channel", tmp_path / "run")


def test_a_model_for_another_patch_size_is_named(study: Study, tmp_path: Path) -> None:
    other = write_network(tmp_path / "other", gridsize=2)
    card = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps({**card, "patch_px": 64}))
    more = f"--arm=name=other,path={other}"
    assert_refused(
        [*study.words(tmp_path / "run"), more, TRUST_OTHER], "patches of 64 px", tmp_path / "run"
    )


@pytest.mark.parametrize("name", ["net.ts", "net.pt2", "net.keras", "net.h5", "wts.h5.zip"])
def test_a_file_that_is_no_model_is_named(name: str, study: Study, tmp_path: Path) -> None:
    (tmp_path / name).write_text("no model")
    more = f"--arm=name=other,path={tmp_path / name}"
    assert_refused([*study.words(tmp_path / "run"), more, TRUST_OTHER], name, tmp_path / "run")


def test_a_model_that_does_not_tell_is_tried_before_the_work_on_the_others(
    study: Study, tmp_path: Path
) -> None:
    nine_channels = write_network(tmp_path / "nine", gridsize=3) / "model.ts"
    more = f"--arm=name=other,path={nine_channels},gridsize=2"
    assert_refused(
        [*study.words(tmp_path / "run"), more, TRUST_OTHER], "9 channels", tmp_path / "run"
    )


def test_a_model_with_a_changed_byte_is_named(study: Study, tmp_path: Path) -> None:
    whole = write_network(tmp_path / "other", gridsize=2) / "model.ts"
    with zipfile.ZipFile(whole) as archive:
        stored = [info for info in archive.infolist() if info.compress_type == zipfile.ZIP_STORED]
        weights = max(stored, key=lambda info: info.file_size)
    data = bytearray(whole.read_bytes())
    name_bytes, extra_bytes = struct.unpack_from("<HH", data, weights.header_offset + 26)
    begins = weights.header_offset + 30 + name_bytes + extra_bytes
    data[begins + weights.compress_size // 2] ^= 1
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(data)
    more = f"--arm=name=other,path={damaged},gridsize=2"
    words = [*study.words(tmp_path / "run"), more, TRUST_OTHER]
    assert_refused(words, f"{weights.filename} is damaged", tmp_path / "run")


def test_weights_of_an_older_pytorch_are_no_archive_and_are_planned_all_the_same(
    study: Study, tmp_path: Path
) -> None:
    weights = tmp_path / "net.pth"
    torch.save({"w": torch.ones(1)}, weights, _use_new_zipfile_serialization=False)
    more = f"--arm=name=other,path={weights},factory=tests.scan_networks:SmallNetwork,gridsize=2"
    words = ["plan", *study.words(tmp_path / "run")[1:], more]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.stderr


def test_weights_without_a_network_are_named(study: Study, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_text("weights")
    more = f"--arm=name=other,path={tmp_path / 'net.pth'}"
    assert_refused(
        [*study.words(tmp_path / "run"), more, TRUST_OTHER], "factory=", tmp_path / "run"
    )


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("gridsize=0", "gridsize: 0"),
        ("batch=0", "batch: 0"),
        ("chunk=-1", "chunk: -1"),
        ("limit=0", "limit: 0"),
        ("bacth=4", "'bacth' | did you mean 'batch'?"),
        ("gridsise=2", "'gridsise' | did you mean 'gridsize'?"),
        ("factroy=a:b", "'factroy' | did you mean 'factory'?"),
        ("zzz=4", "'zzz'"),
        ("batch=many", "many"),
    ],
)
def test_a_word_about_an_arm_that_makes_no_sense_is_named(
    word: str, named: str, study: Study, tmp_path: Path
) -> None:
    more = f"--arm=name=other,path={study.pinn},{word}"
    for part in named.split(" | "):
        assert_refused([*study.words(tmp_path / "run"), more, TRUST_OTHER], part, tmp_path / "run")


def test_a_missing_model_is_named(study: Study, tmp_path: Path) -> None:
    more = "--arm=name=other,path=nowhere"
    assert_refused([*study.words(tmp_path / "run"), more, TRUST_OTHER], "nowhere", tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--window=0"], "duration"),
        (["--stitch-crop-size=34"], "crop"),
        (["--stitch-crop-size=7"], "even"),
        (["--pinn-chunk-size=0"], "chunk"),
        (["--arm=name=index,path=x"], "index"),
        (["--arm=name=x"], "path"),
        (["--neighbor-count=3"], "neighbor"),
        (["--skip-registration", "--register-ptychi-only"], "contradict"),
        (["--workers=2", "--dask=tcp://127.0.0.1:9"], "contradict"),
        (["--window=-5s"], "duration"),
        (["--only-arm=unet"], "no arm 'unet'"),
        (["--invalidate=unet"], "--invalidate unet"),
        (["--trust-model=unet"], "--trust-model unet"),
        (["--pinn-backend=jax"], "installed: onnx, pytorch, tf"),
        (["--n-test-subsample=3"], "too few"),
        (["--groups-from=nowhere.npz"], "nowhere.npz"),
        (["--frc-sigma=nan"], "--frc-sigma: nan"),
        (["--ms-ssim-sigma=inf"], "--ms-ssim-sigma: inf"),
        (["--p_min=99"], "p_min, --p_max: 99, 99"),
        (["--p_min=90", "--plot-scale=per-arm"], "p_min, --p_max: 90, 90"),
        (["--p_max=nan"], "--p_max: nan"),
        (["--pixel-size-m=0"], "--pixel-size-m: 0"),
        (["--pinn_phase_vmin=nan"], "--pinn_phase_vmin: nan"),
        (["--pinn_phase_vmin=1", "--pinn_phase_vmax=-1"], "less than the second"),
        (["--grouping-seed=-1"], "grouping-seed"),
        (["--baseline-debug-dir=/proc/nowhere"], "/proc/nowhere cannot be written"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(
    words: list[str], named: str, study: Study, tmp_path: Path
) -> None:
    assert_refused([*study.words(tmp_path / "run"), *words], named, tmp_path / "run")


def test_an_output_folder_that_cannot_be_made_is_named(study: Study, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    assert_refused(study.words(blocker / "run"), "cannot be written", blocker / "run")


@pytest.mark.parametrize("kind", ["file", "link to nothing", "link to a file"])
def test_an_output_folder_that_is_none_is_named(kind: str, study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    if kind == "file":
        run_dir.write_text("in the way")
    else:
        run_dir.symlink_to(tmp_path / "target")
    if kind == "link to a file":
        (tmp_path / "target").write_text("in the way")
    assert_refused(study.words(run_dir), f"{run_dir} is not a folder", run_dir)


def test_a_folder_with_results_of_something_else_is_neither_overwritten_nor_lost(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "comparison_metrics.csv").write_text("of another tool")
    (run_dir / "compare.log").write_text("a log that somebody keeps here")
    assert_refused(study.words(run_dir), "comparison_metrics.csv", run_dir)
    assert (
        CliRunner().invoke(cli, [*study.words(run_dir), "--new", "--max-chunks=1"]).exit_code == 75
    )
    (aside,) = tmp_path.glob("run.until-*")
    assert (aside / "comparison_metrics.csv").read_text() == "of another tool"


@pytest.fixture(params=["full", "read-only"])
def refusing_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system in memory that takes nothing any more."""
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("mounting a small file system takes root and mount(8)")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder))
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    if request.param == "full":
        with suppress(OSError), (folder / "filler").open("wb") as filler:
            filler.write(b"\0" * 65536)
    else:
        mount("-o", "remount,ro", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def mount(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *words], capture_output=True, text=True, check=False)


def test_an_output_folder_on_a_disk_that_refuses_is_named(
    refusing_disk: Path, study: Study
) -> None:
    run_dir = refusing_disk / "run"
    assert_refused(study.words(run_dir), f"{run_dir} cannot be written", run_dir)


def test_bad_input_is_found_before_anything_slow_is_imported(tmp_path: Path) -> None:
    words = ["compare", "--pinn_dir=nowhere", "--test_data=nowhere.npz", "--output_dir=out"]
    code = (
        "import sys\n"
        "from ptyrun.cli.main import main\n"
        f"sys.argv = ['ptyrun', *{words!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert end.code == 2, end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    late = {"torch", "tensorflow", "matplotlib", "pandas"}
    assert not set(done.stdout.split()) & late
    assert "nowhere.npz" in done.stderr


def assert_refused(words: list[str], named: str, run_dir: Path) -> None:
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2, result.stderr
    assert named.lower() in result.stderr.lower()
    assert isinstance(result.exception, SystemExit)
    begun = [r for _, r in read_records(RunPaths(run_dir)) if isinstance(r, Started)]
    assert not begun, "before the first chunk"
