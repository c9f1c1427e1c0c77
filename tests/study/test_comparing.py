"""Are comparisons stages of a study like any other, and does their list follow from them?"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ptyrun.config.study import Phase, Split, StudyOptions, View
from ptyrun.errors import DamageError, ExitCode
from ptyrun.host.children import ptyrun_words
from ptyrun.study import analysis, archive
from ptyrun.study.asking import study_asked
from ptyrun.study.checks.verify import verify
from ptyrun.study.comparing import _error_in
from ptyrun.study.graph import Graph
from ptyrun.study.others import OtherStage
from ptyrun.study.pack import pack, unpack
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey
from tests.commands import ptyrun
from tests.study.comparisons import TRUST, write_tiny_study

PATIENCE_S = 800  # one call makes a whole study, on a machine as busy as it is


def study(*others: OtherStage, **options: object) -> Study:
    given = {"hub": Path("hub"), "base_npz": Path("base.npz"), "doses": (1000.0,)}
    chosen = {**given, "upto": Phase.COMPARISONS, **options}
    return Study(StudyOptions(**chosen), others)  # type: ignore[arg-type]


def compared(stages: Graph) -> list[str]:
    return [stage.key for stage in stages.stages if stage.kind in ("compare-debug", "compare")]


def test_each_dose_view_and_split_is_compared_after_its_debug_run() -> None:
    stages = graph(study(views=(View.DENSE,), doses=(1e4, 1e3)))
    assert len(compared(stages)) == 8
    for key in compared(stages):
        if not key.startswith("compare-debug"):
            assert key.replace("compare", "compare-debug") in stages.needs(stages.find(key))
    assert stages.stages[-1].key == "comparisons"
    logs = [each.name for each in stages.stages[-1].inputs if each.name.endswith(".log")]
    assert [name.split("/")[1:4] for name in logs] == [
        ["dose_1000", "dense", "train"],
        ["dose_1000", "dense", "test"],
        ["dose_10000", "dense", "train"],
        ["dose_10000", "dense", "test"],
    ]


def test_a_study_that_does_not_reach_comparisons_has_none() -> None:
    assert not compared(graph(study(upto=Phase.RECONSTRUCTIONS)))


def test_a_comparison_reads_whatever_model_a_stage_makes_in_its_folder() -> None:
    other = OtherStage(
        "train-pinn",
        ("train",),
        (),
        tuple(
            f"data/phase_e/dose_{{dose}}/{{view}}/gs2/{name}"
            for name in ("net.keras", "model.json", "losses.png", "losses.csv")
        ),
    )
    stages = graph(study(other, views=(View.DENSE,), splits=(Split.TEST,)))
    found = stages.find("compare-dose_1000-dense-test").inputs
    assert [each.name.rpartition("/")[2] for each in found if each.role == "pinn"] == [
        "model.json",
        "net.keras",
    ], "a picture of its losses is not part of a model"
    assert "train-pinn-dose_1000-dense" in stages.needs(stages.find("compare-dose_1000-dense-test"))


def test_a_missing_file_blocks_its_comparison_by_name(tmp_path: Path) -> None:
    base = tmp_path / "base.npz"
    base.touch()
    ready = OtherStage("reconstruct", files=(str(tmp_path / "nowhere.npz"),))
    found = survey(graph(study(ready, hub=tmp_path / "hub", base_npz=base)))
    why = found["reconstruct-dose_1000-dense-test"].why
    assert why == f"a ready file is missing ({tmp_path / 'nowhere.npz'})"
    for key in ("compare-debug-dose_1000-dense-test", "compare-dose_1000-dense-test"):
        assert found[key].state is State.BLOCKED
    assert "it needs" in found["compare-debug-dose_1000-dense-test"].why


def test_the_last_error_of_a_command_is_told_with_its_reason() -> None:
    said = "noise\nerror: first\n  why: a\nmore\n"
    said += "error: the model is missing\n  why: no file\n  do: x\n"
    assert _error_in(said) == "the model is missing (no file)"
    assert _error_in("killed\n") == ""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one dose, one view and one half, from nothing to its verification."""
    config = write_tiny_study(tmp_path_factory.mktemp("finished"))
    done = ran(config)
    assert done.returncode == ExitCode.COMPLETE, done.stdout + done.stderr
    assert "10 of 10 checks passed" in done.stdout
    return config


def ran(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = ("study", "run", "--config", str(config), "--splits", "test", *TRUST, *words)
    return subprocess.run(
        ptyrun_words(*line), capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def asked(config: Path) -> Study:
    return study_asked({"splits": (Split.TEST,)}, config)


def copy_of(config: Path, folder: Path) -> Path:
    shutil.copytree(config.parent, folder, symlinks=True)
    return folder / config.name


@pytest.mark.slow
def test_a_full_comparison_takes_over_what_its_debug_run_computed(finished: Path) -> None:
    hub = finished.parent / "hub"
    log = (hub / "cli/compare-dose_10000-dense-test.log").read_text()
    assert "chunks taken from" in log
    assert "complete, every byte checked" in log


@pytest.mark.slow
def test_the_manifest_says_what_the_commands_said(finished: Path) -> None:
    hub = finished.parent / "hub"
    document = json.loads((hub / analysis.MANIFEST).read_text())
    (job,) = document["jobs"]
    assert job["pinn_checkpoint"] == str(hub / "data/phase_e/dose_10000/dense/gs2/model.ts")
    assert job["phase_c_npz"] == str(hub / "data/phase_c/dose_10000/patched_test.npz")
    assert document["filters"] == {"dose": 10000.0, "view": "dense", "split": "test"}
    assert document["execution_results"][0]["returncode"] == 0
    assert "dose=10000 view=dense  split=test" in (hub / analysis.MANIFEST_TEXT).read_text()


@pytest.mark.slow
def test_what_a_full_comparison_rests_on_has_no_times(finished: Path) -> None:
    gate = finished.parent / "hub/analysis/dose_10000/dense/test_debug_v4/gate.json"
    assert json.loads(gate.read_text())["arms"]["baseline"]["diagnostics"]["nonzero_count"] > 0
    assert "_s" not in {key[-2:] for key in json.loads(gate.read_text())["arms"]["pinn"]["metrics"]}


@pytest.mark.slow
def test_clobber_sets_the_comparisons_and_all_their_summaries_aside(
    finished: Path, tmp_path: Path
) -> None:
    config = copy_of(finished, tmp_path / "copy")
    hub = config.parent / "hub"
    before = {path.name for path in (hub / "analysis").iterdir()}
    folder = archive.clobber(graph(asked(config)))
    assert folder is not None
    assert not [path for path in (hub / "analysis").rglob("*") if path.is_file()]
    assert before == {path.name for path in (folder / "analysis").iterdir()}
    assert (folder / "analysis/dose_10000/dense/test/ledger").is_dir(), "a run goes as a whole"


@pytest.mark.slow
def test_clobber_of_the_data_takes_comparisons_that_were_not_asked_for(
    finished: Path, tmp_path: Path
) -> None:
    config = copy_of(finished, tmp_path / "copy")
    few = study_asked({"splits": (Split.TEST,), "upto": Phase.DATA}, config)
    folder = archive.clobber(graph(Study(few.options, ())))
    assert folder is not None
    assert (folder / "analysis/dose_10000/dense/test/ledger").is_dir()
    assert not (config.parent / "hub/analysis/metrics_summary.json").exists()


@pytest.mark.slow
def test_a_run_of_other_inputs_goes_and_one_of_the_same_stays(
    finished: Path, tmp_path: Path
) -> None:
    config = copy_of(finished, tmp_path / "copy")
    run = config.parent / "hub/analysis/dose_10000/dense/test"
    ledger = {path.name for path in (run / "ledger").iterdir()}
    (run / analysis.METRICS_CSV).unlink()
    stages = graph(asked(config))
    assert survey(stages)["compare-dose_10000-dense-test"].state is State.STALE
    done = ran(config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ledger <= {path.name for path in (run / "ledger").iterdir()}, "computed again"


@pytest.mark.slow
def test_a_changed_model_makes_what_reads_it_again_and_nothing_else(
    finished: Path, tmp_path: Path
) -> None:
    config = copy_of(finished, tmp_path / "copy")
    from tests.scans import write_network

    write_network(config.parent / "pinn", gridsize=2, seed=9)
    stages = graph(asked(config))
    left = [key for key, each in survey(stages).items() if each.state is not State.DONE]
    # Lists of paths are made again as well: the study has moved.
    assert [key for key in left if "manifest" not in key] == [
        "train-pinn-dose_10000-dense",
        "compare-debug-dose_10000-dense-test",
        "compare-dose_10000-dense-test",
        "comparisons",
    ]
    done = ran(config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 of 10 checks passed" in done.stdout


@pytest.mark.slow
def test_a_hub_that_moves_is_not_compared_again(finished: Path, tmp_path: Path) -> None:
    config = copy_of(finished, tmp_path / "copy")
    found = survey(graph(asked(config)))
    left = [each.stage.kind for each in found.values() if each.state is not State.DONE]
    assert "manifest" in left, "lists of paths are made again"
    assert not {"compare-debug", "compare", "comparisons"}.intersection(left)


@pytest.mark.slow
def test_a_log_that_is_lost_comes_back_when_its_stage_is_made_again(
    finished: Path, tmp_path: Path
) -> None:
    config = copy_of(finished, tmp_path / "copy")
    hub = asked(config).hub.root
    (hub / "cli/split-dose_10000.log").unlink()
    record = hub / "data/phase_c/dose_10000/split-dose_10000.stage.json"
    verdict = verify(hub)
    assert "stage_logs" in [each.name for each in verdict.validations if not each.valid]
    assert str(record) in verdict.hint
    record.unlink()
    done = ran(config)
    assert done.returncode == ExitCode.COMPLETE, done.stdout + done.stderr
    assert "10 of 10 checks passed" in done.stdout


@pytest.mark.slow
def test_a_log_that_is_none_is_named(finished: Path, tmp_path: Path) -> None:
    from ptyrun.study.comparison_list import _ran

    log = tmp_path / "comparison.log"
    log.write_text("nothing\n")
    with pytest.raises(DamageError, match="is not the log of a comparison"):
        _ran("analysis/dose_1/dense/test/comparison.log", log)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("dose_10000/dense/test/arrays.zarr/pinn/patches/c.0.0.0", "inventory"),
        ("dose_10000/dense/test/arrays.zarr/zarr.json", "inventory"),
        ("dose_10000/dense/test/frc_curves.csv", "inventory"),
        ("study_certainty.csv", "metrics_summary_markdown"),
    ],
)
def test_one_changed_byte_of_a_comparison_is_found(
    finished: Path, tmp_path: Path, name: str, check: str
) -> None:
    hub = copy_of(finished, tmp_path / "copy").parent / "hub"
    file = hub / "analysis" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert [each.name for each in verify(hub).validations if not each.valid] == [check]


@pytest.mark.slow
def test_a_chunk_that_was_discarded_makes_its_comparison_stale_and_is_computed_again(
    finished: Path, tmp_path: Path
) -> None:
    config = copy_of(finished, tmp_path / "copy")
    hub = asked(config).hub.root
    name = "analysis/dose_10000/dense/test"
    chunk = min(hub.glob(f"{name}/arrays.zarr/pinn/patches/c.*"))
    before = chunk.read_bytes()
    chunk.write_bytes(before + b"x")
    assert f"`ptyrun verify --repair {hub / name}`" in verify(hub).hint
    assert ptyrun("verify", str(hub / name), "--repair").returncode == 0
    faults = {each.name: each.error for each in verify(hub).validations if not each.valid}
    assert [*faults] == ["inventory"]
    assert "not complete" in faults["inventory"]
    found = survey(graph(asked(config)))["compare-dose_10000-dense-test"]
    assert found.state is State.STALE
    assert f"comparison {name}: complete -> " in found.why
    done = ran(config)
    assert done.returncode == ExitCode.COMPLETE, done.stdout + done.stderr
    assert "10 of 10 checks passed" in done.stdout
    assert chunk.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["ledger/*.jsonl", "logs/*.jsonl", "config.toml", "owner.json"])
def test_what_no_checksum_names_is_found_when_it_is_cut_off_and_may_grow(
    finished: Path, tmp_path: Path, pattern: str
) -> None:
    """A ledger that lost its last line alone lost no chunk; it is not as it was left."""
    hub = copy_of(finished, tmp_path / "copy").parent / "hub"
    file = next((hub / "analysis/dose_10000/dense/test").glob(pattern))
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    (wrong,) = (each for each in verify(hub).validations if not each.valid)
    assert wrong.name == "inventory"
    assert f"{file.relative_to(hub)}" in wrong.error
    if file.parent.name == "logs":
        file.write_bytes(whole + b"\n")
        assert all(each.valid for each in verify(hub).validations)


@pytest.mark.slow
def test_a_study_with_comparisons_that_was_packed_passes_all_checks_elsewhere(
    finished: Path, tmp_path: Path
) -> None:
    assert pack(asked(finished), tmp_path / "study.zip") > 50
    unpack(tmp_path / "study.zip", tmp_path / "elsewhere")
    wrong = [each for each in verify(tmp_path / "elsewhere").validations if not each.valid]
    assert not wrong
