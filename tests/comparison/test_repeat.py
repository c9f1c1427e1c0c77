"""A comparison that is complete and called again: nothing is done, unless something is in doubt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ptyrun.host import checksums
from ptyrun.results import ArmResult, Metric, PairResult, Results
from tests.scans import write_reconstruction, write_scan
from tests.studies import Finished, ptyrun

HEAVY = ("numpy", "scipy", "zarr", "pandas", "matplotlib", "torch", "tensorflow", "h5py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Inputs and a completed comparison of a reconstruction."""
    write_scan(tmp_path / "scan.npz")
    write_reconstruction(tmp_path / "recon.npz")
    done = compare(tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def words(folder: Path) -> list[str]:
    return [
        "compare",
        *[f"--test_data={folder / 'scan.npz'}", f"--tike_recon_path={folder / 'recon.npz'}"],
        f"--output_dir={folder / 'run'}",
        "--no-vector-plots",
    ]


def compare(folder: Path, *more: str) -> Finished:
    return ptyrun(*words(folder), *more)


def stamps(run: Path) -> dict[str, tuple[int, int]]:
    files = (path for path in sorted(run.rglob("*")) if path.is_file())
    return {
        path.relative_to(run).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in files
    }


def slow_libraries_of(*call: str) -> str:
    """Give a command's exit code and which slow libraries it imported."""
    code = (
        "import sys\nfrom ptyrun.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n"
        f"    found = [name for name in {HEAVY} if name in sys.modules]\n"
        "    print(end.code, found)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *call],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    return done.stdout.splitlines()[-1]


def test_it_writes_nothing_but_one_line_per_arm_and_where_the_report_is(folder: Path) -> None:
    compare(folder)  # reads the results once, to remember their digests
    before = stamps(folder / "run")
    done = compare(folder)
    assert done.returncode == 0
    assert stamps(folder / "run") == before
    lines = done.stdout.splitlines()
    assert lines[1].startswith("PtyChi: 100.0% of ")
    assert lines[1].count("coherence 0.9") == 1
    assert lines[2] == f"report page: {folder / 'run/report/index.html'}"
    assert Path(lines[2].removeprefix("report page: ")).exists()


def test_it_imports_no_framework_and_none_of_the_slow_libraries(folder: Path) -> None:
    assert slow_libraries_of(*words(folder)) == "0 []"


def break_results(run: Path) -> None:
    text = (run / "results.json").read_text()
    (run / "results.json").write_text(text.replace("0.9", "0.8", 1))


def lose_report(run: Path) -> None:
    (run / "report/index.html").unlink()


def lose_memory(run: Path) -> None:
    (run / "cache/asked.json").unlink()


def garble_memory(run: Path) -> None:
    (run / "cache/asked.json").write_text('{"schema": 1}')


@pytest.mark.parametrize("harm", [break_results, lose_report, lose_memory, garble_memory])
def test_what_is_damaged_or_lost_is_made_again(folder: Path, harm: object) -> None:
    harm(folder / "run")  # type: ignore[operator]
    done = compare(folder)
    assert done.returncode == 0, done.stderr
    for part in (folder / "run", folder / "run/report"):
        assert list(checksums.problems(part)) == []
    assert (folder / "run/report/index.html").exists()


def test_a_changed_input_is_found(folder: Path) -> None:
    write_reconstruction(folder / "recon.npz", seed=9)
    done = compare(folder)
    assert done.returncode == 2
    assert "reconstruction_sha256" in done.stderr


@pytest.mark.slow
def test_another_presentation_rewrites_the_picture(folder: Path) -> None:
    picture = (folder / "run/comparison_plot.png").read_bytes()
    assert compare(folder, "--p_max=70").returncode == 0
    assert (folder / "run/comparison_plot.png").read_bytes() != picture
    assert compare(folder).returncode == 0
    assert (folder / "run/comparison_plot.png").read_bytes() == picture
    assert compare(folder, "--vector-plots").returncode == 0
    for kind in ("pdf", "svg"):
        assert (folder / f"run/comparison_plot.{kind}").stat().st_size > 0


def test_another_option_of_evaluation_is_refused_as_ever(folder: Path) -> None:
    assert compare(folder, "--frc-sigma=0.5").returncode == 2


def test_a_summary_names_what_does_not_belong_and_pairs_without_a_truth() -> None:
    arms = {
        "pinn": ArmResult("PtychoPINN", "predictor", 40),
        "other": ArmResult("Other", "reconstruction", 0, mismatch="it covers nothing"),
    }
    pairs = (PairResult("pinn", "other", {"coherence": Metric(value=0.5)}),)
    assert Results("0" * 64, False, (0, 0, 90, 80), arms, pairs=pairs).summary_lines() == [
        "PtychoPINN: 40 groups over 90 x 80 px",
        "Other: over 90 x 80 px, DOES NOT BELONG TO THIS SCAN: it covers nothing",
        "PtychoPINN against Other: coherence 0.500",
    ]


def test_an_unchanged_run_is_finalized_without_the_slow_libraries(folder: Path) -> None:
    compare(folder)
    assert slow_libraries_of("finalize", str(folder / "run")) == "0 []"


@pytest.mark.parametrize("verb", ["compare", "finalize"])
def test_what_an_interrupted_finalize_left_is_swept(verb: str, folder: Path) -> None:
    compare(folder)
    left = folder / "run/unpublished/results-0123abcd"
    left.mkdir(parents=True)
    (left / "results.json").write_text("half of it", encoding="utf-8")
    call = words(folder) if verb == "compare" else ["finalize", str(folder / "run")]
    assert ptyrun(*call).returncode == 0
    assert not left.parent.exists()
