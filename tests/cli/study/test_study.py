"""What `ptyrun study summarize` and `verify` say, and how they end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ptyrun.cli.commands import cli
from ptyrun.host.children import ptyrun_words
from tests.study.hubs import write_base
from tests.study.upstream_hubs import write_comparisons, write_hub, write_summed_hub


@pytest.fixture(scope="module")
def good_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_summed_hub(tmp_path_factory.mktemp("good") / "hub")


@pytest.fixture
def hub(good_hub: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good_hub, tmp_path / "hub")


def study(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["study", *map(str, words)])


def ran(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, for commands that begin others."""
    line = ptyrun_words("study", *map(str, words))
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=300)


def test_a_hub_is_summed_up_and_passes(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")
    first = study("summarize", "--hub", hub)
    assert (first.exit_code, first.stderr) == (0, "")
    assert "wrote analysis/aggregate_report.md" in first.stdout
    assert first.stdout.endswith("15 files written, 0 up to date already\n")
    assert study("summarize", "--hub", hub).stdout == "0 files written, 15 up to date already\n"
    verified = study("verify", "--hub", hub)
    assert verified.exit_code == 0
    assert verified.stdout.endswith("10 of 10 checks passed\n")


def test_damage_is_named_with_exit_code_3(hub: Path) -> None:
    report = hub / "analysis/aggregate_report.md"
    report.write_text(report.read_text().replace("0.9", "0.8", 1))
    found = study("verify", "--hub", hub)
    assert found.exit_code == 3
    assert (
        "FAIL  aggregate_highlights: means and highlights follow from the summary\n" in found.stdout
    )
    assert "analysis/aggregate_report.md does not follow from the metrics: line 15" in found.stdout
    assert found.stdout.endswith("9 of 10 checks passed\n")


def test_a_hub_without_comparisons_is_first_told_what_it_lacks(tmp_path: Path) -> None:
    found = study("verify", "--hub", tmp_path)
    assert found.exit_code == 3
    lines = found.stdout.splitlines()
    assert lines[0].startswith("the hub has no comparisons yet")
    assert "`ptyrun study run --upto comparisons`" in lines[0]
    assert any(line.startswith("FAIL") for line in lines[1:])
    assert "Phase" not in found.stdout, "upstream's letters are explained or left out"


def test_json_holds_ten_checks_with_their_names(hub: Path) -> None:
    (hub / "cli/phase_d_dense.log").unlink()
    found = study("verify", "--hub", hub, "--json")
    assert found.exit_code == 3
    document = json.loads(found.stdout)
    counts = [document[name] for name in ("n_checks", "n_valid", "n_invalid", "all_valid")]
    assert counts == [10, 8, 2, False]
    faults = {each["name"]: each["error"] for each in document["validations"] if "error" in each}
    assert faults == {
        "stage_logs": "cli/phase_d_dense.log is missing",
        "inventory": "cli/phase_d_dense.log is missing",
    }


@pytest.mark.parametrize("before", [(), ("run",), ("verify",)])
def test_upstreams_word_for_the_verification_is_known(hub: Path, before: tuple[str, ...]) -> None:
    words = (*before, "--post-verify-only", "--hub", str(hub))
    found = ran(*words, "--dose", "1000", "--view", "dense", "--splits", "train", "test")
    assert found.returncode == 0
    assert "10 of 10 checks passed" in found.stdout
    for word in ("--clobber", "--skip-post-verify"):
        assert study(*words, word).exit_code == 2


def test_comparisons_that_are_asked_for_must_be_there(hub: Path) -> None:
    for word, value, said in (
        ("--dose", "1e4", "dense/train at dose 10000 is missing"),
        ("--view", "sparse", "sparse/test at dose 1000 is missing"),
    ):
        found = study("verify", "--hub", hub, word, value)
        assert found.exit_code == 3
        assert said in found.stdout
    assert study("verify", "--hub", hub, "--splits", "train").exit_code == 0


def test_a_study_that_ptyrun_made_is_summed_up_and_verified_at_its_end(tmp_path: Path) -> None:
    """Its stages leave a record each: the log beside it must say that the stage is complete."""
    hub = tmp_path / "hub"
    words = ("run", "--hub", hub, "--base-npz", write_base(tmp_path / "base.npz"))
    scope = ("--dose", "1000", "--view", "dense", "--n-groups", "8", "--neighbor-count", "5")
    assert ran(*words, *scope).returncode == 0
    write_comparisons(hub)
    done = ran("run", "--hub", hub)
    assert (done.returncode, "10 of 10 checks passed" in done.stdout) == (0, True), done
    log = next((hub / "cli").glob("*.log"))
    log.write_text("incomplete\n")
    found = study("verify", "--hub", hub)
    assert found.exit_code == 3
    assert f"cli/{log.name} does not say that its stage is complete" in found.stdout
    log.unlink()
    assert f"cli/{log.name} is missing" in study("verify", "--hub", hub).stdout


@pytest.mark.parametrize("command", ["summarize", "verify"])
def test_wrong_usage_ends_with_exit_code_2(tmp_path: Path, command: str) -> None:
    for words in ((), ("--hub", tmp_path / "nowhere"), ("--hub", tmp_path, "--no-such-option")):
        found = study(command, *words)
        assert found.exit_code == 2, found.output


@pytest.mark.parametrize(
    "words",
    [
        ("--dose", "much"),
        ("--dose", "-1"),
        ("--dose", "nan"),
        ("--view", "../x"),
        ("--splits", "a/b"),
        ("--ms-ssim-threshold", "nan"),
    ],
)
def test_a_parameter_that_is_none_is_wrong_usage(hub: Path, words: tuple[str, str]) -> None:
    assert study("verify", "--hub", hub, *words).exit_code == 2


def test_a_failed_comparison_ends_the_summary_with_exit_code_3(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub", codes={"train": 1})
    found = study("summarize", "--hub", hub)
    assert found.exit_code == 3
    assert "1 of 2 comparisons failed" in found.stderr
    assert "analysis/dose_1000/dense/train/comparison.log" in found.stderr


def test_a_hub_that_cannot_be_written_is_an_explained_error(hub: Path) -> None:
    (hub / "analysis/aggregate_report.md").unlink()
    (hub / "analysis/aggregate_report.md").mkdir()
    found = study("summarize", "--hub", hub)
    assert found.exit_code == 1
    assert "a folder stands where a file must be" in found.stderr


@pytest.mark.parametrize("command", ["status", "report"])
def test_the_folder_of_one_comparison_is_told_from_a_hub(command: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").touch()
    found = study(command, "--hub", tmp_path, "--base-npz", write_base(tmp_path / "base.npz"))
    assert found.exit_code == 2
    assert f"{tmp_path} is not a hub\n  why: it is the folder of one comparison" in found.stderr
    assert f"`ptyrun status {tmp_path}`" in found.stderr


def test_asking_for_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ptyrun.cli.main import main\n"
        "sys.argv = ['ptyrun', 'study', 'verify', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--ms-ssim-threshold" in done.stdout
    assert not {"numpy", "scipy", "zarr", "tensorflow", "torch"} & set(done.stderr.split())
