"""Does a study follow the training size, trial by trial, and make again what changed alone?"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ptyrun.config.study import Phase, Split
from ptyrun.engine.window import Window
from ptyrun.errors import PtyrunError
from ptyrun.study.graph import Graph
from ptyrun.study.making import make
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey
from ptyrun.study.task import Task
from ptyrun.study.works import work_of
from tests.commands import ptyrun
from tests.study.hubs import changed, small_study, states

PLACE = "generalization/dose_1000"
FAKED = (
    *("train-pinn", "train-baseline", "training-manifest"),
    *("reconstruct", "reconstruction-manifest"),
    *("compare-debug", "compare", "comparisons"),
)


def fake(task: Task) -> None:
    """Write the stage's name into what it is to make, and numbers into tables."""
    trial = int(task.stage.axes.get("trial", "trial_0").removeprefix("trial_"))
    table = "model,metric,amplitude,phase,value\n" + "".join(
        f"{model},psnr,{60 + trial},{50 + trial},\n{model},ms_ssim,0.8,0.7,\n"
        for model in ("PtychoPINN", "Baseline", "PtyChi")
    )
    for path in task.outputs():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table if path.name == "comparison_metrics.csv" else task.stage.key)


def made(stages: Graph) -> list[str]:
    """Make what is not done; trainings and comparisons are stood in for."""
    keys = []
    while ready := [each for each in survey(stages).values() if each.is_ready]:
        keys.append(ready[0].stage.key)
        make(stages, keys[-1], Window(), lambda kind: fake if kind in FAKED else work_of(kind))
    return keys


def study_in(folder: Path, sizes: tuple[int, ...] = (4, 8), trials: int = 2) -> Study:
    return small_study(
        folder,
        upto=Phase.COMPARISONS,
        splits=(Split.TEST,),
        generalization_sizes=sizes,
        generalization_trials=trials,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    made(graph(study_in(folder)))
    return folder


def test_each_size_and_trial_has_its_own_stages_and_no_sizes_have_none(tmp_path: Path) -> None:
    study = small_study(tmp_path, upto=Phase.COMPARISONS, generalization_sizes=(512, 1024))
    keys = [stage.key for stage in graph(study).stages if "train_" in stage.key]
    assert len(keys) == 2 * 5 * 5
    assert {key for key in keys if key.endswith("train_512-trial_3")} == {
        f"{kind}-dose_1000-train_512-trial_3"
        for kind in ("subset", "train-pinn", "train-baseline", "compare-debug", "compare")
    }
    assert not [
        stage
        for stage in graph(changed(study, generalization_sizes=())).stages
        if "trial" in stage.key or stage.kind == "generalization"
    ]
    networks = graph(changed(study, upto=Phase.NETWORKS))
    assert not [stage for stage in networks.stages if stage.kind in ("compare", "generalization")]


def test_two_trials_of_a_size_are_trained_on_other_frames_with_other_first_weights(
    finished: Path,
) -> None:
    stages = graph(study_in(finished))
    frames = {}
    for size, trial in ((4, 1), (8, 1), (4, 2)):
        with np.load(stages.hub.path(f"{PLACE}/train_{size}/trial_{trial}/train.npz")) as file:
            frames[size, trial] = file["xcoords"].tolist()
            assert len(file["diffraction"]) == size
    assert {*frames[4, 1]} < {*frames[8, 1]}
    assert frames[4, 1] != frames[4, 2]
    keys = [f"train-pinn-dose_1000-train_4-trial_{trial}" for trial in (1, 2)]
    seeds = [stages.by_key[key].parameters["seed"] for key in keys]
    assert seeds == ["0", "1"]


def test_all_trials_end_in_upstreams_tables_and_a_page(finished: Path) -> None:
    stages = graph(study_in(finished))
    assert {each.state for each in survey(stages).values()} == {State.DONE}
    with stages.hub.path(f"{PLACE}/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["train_size"], row["model_type"], row["n_trials"]) for row in rows][:2] == [
        ("4", "baseline", "2"),
        ("4", "pinn", "2"),
    ]
    assert {float(row["psnr_phase_mean"]) for row in rows} == {51.5}
    page = stages.hub.path(f"{PLACE}/sweep/train_size.html").read_text()
    assert "../train_8/trial_2/comparison/report/index.html" in page
    beside = stages.hub.path(f"{PLACE}/train_4/trial_1/comparison_metrics.csv")
    assert beside.read_text().startswith("model,metric")


def test_one_trial_is_made_again_alone(finished: Path) -> None:
    stages = graph(study_in(finished))
    key = "compare-dose_1000-train_8-trial_2"
    stages.hub.path(f"{PLACE}/train_8/trial_2/comparison/comparison_metrics.csv").unlink()
    assert [k for k, each in states(stages).items() if each is not State.DONE] == [
        key,
        "generalization-dose_1000",
    ]
    assert made(stages) == [key]


def test_another_trial_adds_its_own_stages_and_the_tables_follow(finished: Path) -> None:
    found = states(graph(study_in(finished, trials=3)))
    left = {key for key, each in found.items() if each is not State.DONE}
    assert left == {
        "generalization-dose_1000",
        *(
            f"{kind}-dose_1000-train_{size}-trial_3"
            for kind in ("subset", "train-pinn", "train-baseline", "compare-debug", "compare")
            for size in (4, 8)
        ),
    }


def test_more_frames_than_there_are_fail_with_their_number(tmp_path: Path) -> None:
    stages = graph(study_in(tmp_path, sizes=(10_000,), trials=1))
    made(stages.upto("split-dose_1000"))
    with pytest.raises(PtyrunError, match="10000 frames of the train half"):
        make(stages, "subset-dose_1000-train_10000-trial_1", Window(), work_of)


def test_upstreams_words_name_sizes_and_trials(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    said = ptyrun(
        *("study", "plan", "--hub", str(tmp_path / "hub"), "--upto", "networks"),
        *("--base-npz", str(study.options.base_npz), "--dose", "1000"),
        *("--train-group-sizes", "16 32", "--num-trials", "2"),
    )
    assert said.returncode == 0, said.stderr
    assert "train-pinn-dose_1000-train_32-trial_2" in said.stdout
    assert "trial_3" not in said.stdout
