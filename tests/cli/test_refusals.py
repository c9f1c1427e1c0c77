"""A refused command leaves nothing behind, and what is not ptyrun's stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.scans import scan_arrays, write_scan
from tests.studies import Study, ptyrun

REFUSED = 2


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def bad_scan(folder: Path) -> list[str]:
    arrays = scan_arrays()
    arrays["diffraction"][3, 4, 5] = np.nan
    path = folder / "bad.npz"
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return [f"--test_data={path}"]


def short_scan(folder: Path) -> list[str]:
    path = write_scan(folder / "short.npz", xcoords=np.zeros(3))
    return [f"--test_data={path}"]


def empty_model(folder: Path) -> list[str]:
    (folder / "model").mkdir()
    return [f"--pinn_dir={folder / 'model'}"]


def broken_model(folder: Path) -> list[str]:
    (folder / "broken.keras").write_bytes(b"PK\x03\x04 no more")
    return [f"--baseline_dir={folder / 'broken.keras'}"]


def text_as_reconstruction(folder: Path) -> list[str]:
    (folder / "recon.npz").write_text("not an archive")
    return [f"--tike_recon_path={folder / 'recon.npz'}"]


REFUSALS: dict[str, Callable[[Path], list[str]]] = {
    "a value that is no number": bad_scan,
    "fewer positions than frames": short_scan,
    "a folder without a model": empty_model,
    "half a model": broken_model,
    "a reconstruction that is none": text_as_reconstruction,
    "an unknown arm to accept": lambda _: ["--invalidate=nobody"],
    "an arm that is not there": lambda _: ["--only-arm=nobody"],
    "not a debug run": lambda folder: [f"--require-debug={folder / 'debug'}"],
    "more groups than can be drawn from": lambda _: ["--n-test-subsample=3", "--n-test-groups=9"],
    "a scan that is not there": lambda folder: [f"--test_data={folder / 'nowhere.npz'}"],
    "a window of no length": lambda _: ["--window=0s"],
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("command", ["compare", "plan"])
def test_a_refusal_leaves_the_disk_as_it_was(
    command: str, name: str, study: Study, tmp_path: Path
) -> None:
    more = REFUSALS[name](tmp_path)
    words = study.words(tmp_path / "deep/er/run", f"--baseline-debug-dir={tmp_path / 'debug/it'}")
    before = everything(tmp_path)
    done = ptyrun(command, *words[1:], *more)
    assert done.returncode == REFUSED, done.stderr
    assert everything(tmp_path) == before


def test_what_lies_in_an_empty_folder_of_the_user_stays(study: Study, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")
    before = everything(tmp_path)
    words = study.words(tmp_path / "run", *empty_model(tmp_path / "run"))
    before = everything(tmp_path)
    assert ptyrun(*words).returncode == REFUSED
    assert everything(tmp_path) == before


def test_strangers_are_named_before_the_work_and_by_verify(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    (run_dir / "mine").mkdir(parents=True)
    (run_dir / "notes.txt").write_text("mine")
    words = study.words(run_dir)
    planned = ptyrun("plan", *words[1:])
    assert planned.returncode == 0
    assert "is not ptyrun's: mine, notes.txt" in planned.stderr
    (run_dir / "ledger").mkdir(exist_ok=True)
    (run_dir / "ledger/notes\x1b[2J.txt").write_text("mine")
    for repair in ([], ["--repair"]):
        found = ptyrun("verify", str(run_dir), *repair)
        assert found.returncode == 0, found.stdout
        for name in ("mine", "notes.txt", r"ledger/notes\x1b[2J.txt"):
            assert f"unexpected: {name}: " in found.stdout
        assert (run_dir / "notes.txt").read_text() == "mine"
    assert (run_dir / "ledger/notes\x1b[2J.txt").exists()


@pytest.mark.parametrize("name", ["comparison.log", "gate.json", "compare-x.stage.json"])
def test_what_a_study_keeps_in_the_folder_of_a_comparison_is_no_stranger(
    name: str, study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun("plan", *study.words(run_dir)[1:]).returncode == 0
    (run_dir / name).write_text("of a study")
    found = ptyrun("verify", str(run_dir))
    assert "unexpected" not in found.stdout, found.stdout


@pytest.mark.parametrize("name", ["debug/image.png", "preview/mine.png", "completion.json"])
def test_what_a_run_would_write_over_is_not_written_over(
    name: str, study: Study, tmp_path: Path
) -> None:
    there = tmp_path / "run" / name
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    before = everything(tmp_path)
    done = ptyrun(*study.words(tmp_path / "run"))
    assert done.returncode == REFUSED
    assert name.partition("/")[0] in done.stderr
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["r" * 256, "r" * 240, "/".join(["r" * 200] * 20)])
def test_a_name_that_is_too_long_is_named(name: str, study: Study, tmp_path: Path) -> None:
    done = ptyrun(*study.words(tmp_path / name))
    assert done.returncode == REFUSED
    assert "too long" in done.stderr
    assert not [*tmp_path.iterdir()]
    scan = ptyrun(*study.words(tmp_path / "run", f"--test_data={tmp_path / name / 'scan.npz'}"))
    assert scan.returncode == REFUSED
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("command", ["status", "report", "verify", "preview", "run"])
def test_the_folder_of_a_study_is_told_from_one_without_a_run(command: str, tmp_path: Path) -> None:
    refused = ptyrun(command, str(tmp_path))
    assert refused.returncode == REFUSED
    assert "is not a planned run" in refused.stderr
    assert "ptyrun study status" not in refused.stderr

    (tmp_path / "study.json").write_text("{}")
    refused = ptyrun(command, str(tmp_path))
    assert refused.returncode == REFUSED
    assert f"ptyrun study status --hub {tmp_path}" in refused.stderr


@pytest.mark.parametrize(
    ("typed", "what", "why"),
    [
        (["comapre"], "there is no command 'comapre'", "did you mean 'compare'?"),
        (["study", "statsu"], "there is no command 'statsu'", "did you mean 'status' or"),
        (["--verion"], "there is no option '--verion'", "did you mean '--version'?"),
        (["status", "--jsn"], "there is no option '--jsn'", "did you mean '--json'?"),
        (["status", "a", "b", "c"], "too many words: b c", "ptyrun status [OPTIONS] RUN"),
        (["compare", "--test-data"], "Option '--test-data' requires", "ptyrun compare [OPTIONS]"),
        (["verify", "--repair=1", "a"], "Option '--repair' does not take", "ptyrun verify"),
        (["study", "sweep", "--hub"], "Option '--hub' requires", "ptyrun study sweep"),
    ],
)
def test_words_that_cannot_be_read_are_refused_as_everything_else(
    typed: list[str], what: str, why: str
) -> None:
    refused = ptyrun(*typed)
    assert refused.returncode == REFUSED
    first, because, remedy = refused.stderr.splitlines()
    assert first.startswith(f"error: {what}")
    assert because.startswith("  why: ")
    assert why in because
    assert remedy.startswith("  do:  ")
    assert " --help` " in remedy


@pytest.mark.parametrize("command", ["run", "verify", "preview", "start", "finalize"])
def test_a_run_in_a_bucket_is_no_folder(command: str) -> None:
    refused = ptyrun(command, "s3://results/run")
    assert refused.returncode == REFUSED
    assert "s3://results/run is not a folder" in refused.stderr
    assert "`ptyrun report --output FOLDER`" in refused.stderr
