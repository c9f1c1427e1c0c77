"""Are the networks of a study trained in stages that go on wherever they were cut off?"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.config.study import Phase, Split, View
from ptyrun.errors import PredictorUnavailableError, UsageError
from ptyrun.study.asking import words_of_study
from ptyrun.study.config_file import StudyFile
from ptyrun.study.graph import Graph
from ptyrun.study.others import OtherStage
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey
from tests.packages import lay_out
from tests.study.hubs import changed, make_all, small_study, states

PATIENCE_S = 300.0
SMALL = {
    "upto": Phase.NETWORKS,
    "splits": (Split.TEST,),
    "training_pinn_epochs": 30,
    "training_baseline_epochs": 30,
    "training_pinn_set": ("stages=1", "width=2", "batch_groups=4"),
    "training_baseline_set": ("fine_width=2", "coarse_width=4", "batch_frames=4"),
}
KINDS = {"pinn": "train-pinn-dose_1000-dense", "baseline": "train-baseline-dose_1000"}


def study(folder: Path, *others: OtherStage, **options: object) -> Study:
    return small_study(folder, *others, **{**SMALL, **options})


def keys(stages: Graph) -> list[str]:
    return [stage.key for stage in stages.stages if stage.kind.startswith("train")]


def test_there_is_a_baseline_for_each_dose_and_a_pinn_for_each_view(tmp_path: Path) -> None:
    stages = graph(study(tmp_path, doses=(1e4, 1e3), views=(View.SPARSE, View.DENSE)))
    assert keys(stages) == [
        "train-baseline-dose_1000",
        "train-baseline-dose_10000",
        "train-pinn-dose_1000-dense",
        "train-pinn-dose_1000-sparse",
        "train-pinn-dose_10000-dense",
        "train-pinn-dose_10000-sparse",
        "training-manifest",
    ]
    pinn = stages.by_key["train-pinn-dose_1000-sparse"]
    assert [each.name for each in pinn.inputs] == ["data/phase_d/dose_1000/sparse/train.npz"]
    assert pinn.outputs[0] == "data/phase_e/dose_1000/sparse/gs2/pinn.pt2"
    baseline = stages.by_key["train-baseline-dose_1000"]
    assert [each.name for each in baseline.inputs] == ["data/phase_c/dose_1000/patched_train.npz"]
    assert baseline.outputs[0] == "data/phase_e/dose_1000/baseline/gs1/baseline.keras"
    assert not keys(graph(study(tmp_path, upto=Phase.VIEWS)))


@pytest.mark.parametrize(
    ("option", "value", "kinds"),
    [
        ("training_pinn_epochs", 31, {"train-pinn"}),
        ("training_baseline_epochs", 31, {"train-baseline"}),
        ("training_pinn_set", ("width=4",), {"train-pinn"}),
        ("training_seed", 9, {"train-pinn", "train-baseline"}),
        ("training_threads", 2, {"train-pinn", "train-baseline"}),
    ],
)
def test_a_changed_training_concerns_its_own_stages_alone(
    tmp_path: Path, option: str, value: object, kinds: set[str]
) -> None:
    before = study(tmp_path, upto=Phase.COMPARISONS)
    after = changed(before, **{option: value})
    old, new = graph(before).by_key, graph(after).by_key
    assert old.keys() == new.keys()
    assert {new[key].kind for key in old if old[key].parameters != new[key].parameters} == kinds


def test_the_table_of_the_file_says_how_networks_are_trained(tmp_path: Path) -> None:
    text = '[training]\npinn-epochs = 4\nseed = 2\nbaseline_set = ["batch_frames=8"]\n'
    (tmp_path / "study.toml").write_text(text)
    assert StudyFile(tmp_path / "study.toml").options == {
        "training_pinn_epochs": 4,
        "training_seed": 2,
        "training_baseline_set": ("batch_frames=8",),
    }


def test_a_setting_that_is_none_is_found_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'wide' is not a setting of a trainer"):
        graph(study(tmp_path, training_pinn_set=("wide",)))


def make_data(stages: Graph, wanted: str) -> None:
    """Make what a training needs."""
    for needed in stages.needs(stages.find(wanted)):
        make_all(stages.upto(needed))


def words(asked: Study, key: str, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "ptyrun", "study", "stage", key),
        *words_of_study(asked, None),
        *("--told-all", *more),
    ]


def outputs(stages: Graph, key: str) -> list[bytes]:
    return [stages.hub.path(name).read_bytes() for name in stages.find(key).outputs]


@pytest.fixture
def pixel_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Offers the trainer that needs no framework as a package of its own would."""
    package = tmp_path / "package"
    entry_points = "[ptyrun.trainers]\npixel.npy = tests.trainers:PixelTrainer\n"
    lay_out(package, "pixels", entry_points, {})
    monkeypatch.setenv("PYTHONPATH", f"{package}:{Path(__file__).parents[2]}")
    monkeypatch.syspath_prepend(package)
    return {"training_pinn": "pixel.npy", "training_pinn_set": (), "training_pinn_epochs": 300}


@pytest.mark.slow
def test_a_training_of_another_package_that_is_killed_ends_in_the_same_bytes(
    tmp_path: Path, pixel_trainer: dict[str, object]
) -> None:
    killed_at_random(tmp_path, "pinn", 3, **pixel_trainer)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_is_killed_20_times_ends_in_the_same_bytes(
    tmp_path: Path, kind: str
) -> None:
    killed_at_random(tmp_path, kind, 20)


def killed_at_random(folder: Path, kind: str, kills: int, **options: object) -> None:
    key, dice = KINDS[kind], random.Random(kills)
    asked = study(folder / "whole", **options)
    whole = graph(asked)
    make_data(whole, key)
    subprocess.run(words(asked, key), check=True, timeout=PATIENCE_S)
    asked = study(folder / "killed", base_npz=asked.options.base_npz, **options)
    killed = graph(asked)
    make_data(killed, key)
    place = killed.hub.path(str(killed.find(key).folder))
    cut = 0
    for kill in range(kills):
        process = subprocess.Popen(words(asked, key))
        try:
            # A few more steps than the last time, then at any moment.
            until = last_step(place) + dice.randint(1, max(1, 60 // kills))
            began_s = time.monotonic()
            while process.poll() is None and last_step(place) < until:
                assert time.monotonic() < began_s + PATIENCE_S
                time.sleep(0.01)
            time.sleep(dice.uniform(0, 0.05))
        finally:
            process.kill()
            cut += process.wait() == -9
        state = survey(killed)[key].state
        assert state in (State.PENDING, State.DONE), f"after kill {kill}"
        if state is State.DONE:  # a fast machine is through before the last kill
            break
    else:
        subprocess.run(words(asked, key), check=True, timeout=PATIENCE_S)
    assert cut > kills / 3, "hardly a kill met a training at work"
    assert outputs(killed, key) == outputs(whole, key)
    assert not [*place.glob("*.pieces-*")]


def last_step(folder: Path) -> int:
    names = [path.name.split("-")[1] for path in folder.glob("*.pieces-*/state-*.safetensors")]
    return max([0, *(int(name.partition(".")[0]) for name in names)])


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_any_length_end_in_the_same_bytes(tmp_path: Path, kind: str) -> None:
    key = KINDS[kind]
    asked = study(tmp_path / "whole")
    whole = graph(asked)
    make_data(whole, key)
    began_s = time.monotonic()
    subprocess.run(words(asked, key), check=True, timeout=PATIENCE_S)
    window_s = 0.7 * (time.monotonic() - began_s)
    asked = study(tmp_path / "cut", base_npz=asked.options.base_npz)
    cut = graph(asked)
    make_data(cut, key)
    codes = []
    while 0 not in codes:
        done = subprocess.run(words(asked, key, "--within", f"{window_s:.2f}"), check=False)
        codes.append(done.returncode)
        window_s *= 1.1
        assert len(codes) < 50
    assert {*codes} <= {0, 75}
    assert outputs(cut, key) == outputs(whole, key)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"training_pinn": "no.pt2"}, "no trainer is called 'no.pt2'"),
        pytest.param(
            {"training_pinn_set": ("with=3",)}, "no setting 'with'", marks=pytest.mark.slow
        ),
        pytest.param(
            {"training_pinn_set": ("learning_rate=1e9", "width=2")},
            "diverged|collapsed|not finite",
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_training_that_cannot_be_is_a_failed_stage_with_a_reason(
    tmp_path: Path, options: dict[str, object], what: str
) -> None:
    stages = graph(study(tmp_path, **options))
    key = KINDS["pinn"]
    make_data(stages, key)
    done = subprocess.run(
        words(study(tmp_path, **options), key), capture_output=True, text=True, check=False
    )
    assert done.returncode in (1, 2, 3)
    assert "Traceback" not in done.stderr
    found = survey(stages)[key]
    assert found.state is State.FAILED
    assert re.search(what, found.why), found.why


def test_a_network_that_was_trained_elsewhere_takes_its_place_and_is_listed(
    tmp_path: Path,
) -> None:
    """Both by commands of others: no framework is needed."""
    places = {
        "train-pinn": "data/phase_e/dose_{dose}/{view}/gs2/wts.h5.zip",
        "train-baseline": "data/phase_e/dose_{dose}/baseline/gs1/mine.keras",
    }
    others = [
        OtherStage(
            name, ("sh", "-c", f"echo a model > {{hub}}/{place}"), ("{here}/weights",), (place,)
        )
        for name, place in places.items()
    ]
    (tmp_path / "weights").touch()
    others = [replace(other, here=tmp_path) for other in others]
    stages = graph(study(tmp_path, *others))
    make_all(stages)
    assert {*states(stages).values()} == {State.DONE}
    document = json.loads(stages.hub.path("data/phase_e/training_manifest.json").read_text())
    assert [(job["view"], job["result"]["bundle_path"]) for job in document["jobs"]] == [
        ("baseline", "mine.keras"),
        ("dense", "wts.h5.zip"),
    ]
    assert json.loads(stages.hub.path("data/phase_e/skip_summary.json").read_text())
    assert document["filters"] == {"dose": 1000.0, "view": "dense", "gridsize": None}


def test_options_of_training_are_spelt_for_the_processes_of_stages(tmp_path: Path) -> None:
    said = words_of_study(study(tmp_path), None)
    assert said.count("--training-pinn-set") == 3
    assert said[said.index("--training-pinn-epochs") + 1] == "30"


UPSTREAMS_PROGRAM = """
import argparse, os, pathlib, signal, sys
parser = argparse.ArgumentParser()
for word in ("train_data_file", "test_data_file", "output_dir", "model_type", "n_groups"):
    parser.add_argument("--" + word)
parser.add_argument("--nepochs", type=int)
parser.add_argument("--gridsize", type=int)
given = parser.parse_args()
assert pathlib.Path(given.train_data_file).is_file()
folder = pathlib.Path(given.output_dir) / "run"
folder.mkdir()
said = f"{given.model_type} {given.gridsize} {given.nepochs} {given.n_groups}".encode()
if "MODEL".endswith(".zip"):
    import zipfile
    with zipfile.ZipFile(folder / "MODEL", "w") as archive:
        archive.writestr("said", said)
else:
    (folder / "MODEL").write_bytes(b"\\x89HDF\\r\\n\\x1a\\n" + bytes(40) + said)
whole = (folder / "MODEL").read_bytes()
if given.nepochs == 13:
    (folder / "MODEL").unlink()
elif given.nepochs == 14:
    (folder / "MODEL").write_bytes(whole[:-9])
elif given.nepochs == 15:
    (folder / "MODEL").write_bytes(b"")
elif given.nepochs == 16:
    (folder / "MODEL").write_bytes(b"a text")
elif given.nepochs == 17:
    os.kill(os.getpid(), signal.SIGKILL)
elif given.nepochs == 18:
    sys.exit(5)
elif given.nepochs == 19:
    (folder / "MODEL").unlink()
    (folder / "MODEL").symlink_to("nowhere")
elif given.nepochs == 20:
    (folder / "MODEL").write_bytes(whole[:-20] + b"x" + whole[-19:])
"""


@pytest.fixture
def upstreams_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for PtychoPINN: programs of the same names, words and files."""
    for folder in ("ptycho", "scripts", "scripts/training"):
        (tmp_path / "upstream" / folder).mkdir(parents=True)
        (tmp_path / "upstream" / folder / "__init__.py").touch()
    for name, model in (("training/train", "wts.h5.zip"), ("run_baseline", "baseline_model.h5")):
        program = UPSTREAMS_PROGRAM.replace("MODEL", model)
        (tmp_path / "upstream" / "scripts" / f"{name}.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "upstream"))


OF_UPSTREAM = {
    "training_pinn": "wts.h5.zip",
    "training_pinn_set": ("n_groups=512",),
    "training_baseline": "baseline_model.h5",
    "training_baseline_set": (),
}


@pytest.mark.usefixtures("upstreams_package")
def test_upstreams_networks_are_trained_by_upstreams_programs(tmp_path: Path) -> None:
    asked = study(tmp_path / "study", **OF_UPSTREAM)
    stages = graph(asked)
    for key in KINDS.values():
        make_data(stages, key)
        assert not stages.find(key).is_divisible
        subprocess.run(words(asked, key), check=True, timeout=PATIENCE_S)
    pinn, baseline = (outputs(stages, KINDS[kind]) for kind in ("pinn", "baseline"))
    assert len(pinn) == len(baseline) == 1
    assert b"pinn 2 30 512" in pinn[0]
    assert b"None 1 30 None" in baseline[0]
    make_all(stages)
    listed = json.loads(stages.hub.path("data/phase_e/training_manifest.json").read_text())
    names = [job["result"]["bundle_path"] for job in listed["jobs"]]
    assert names == ["baseline_model.h5", "wts.h5.zip"]


@pytest.mark.usefixtures("upstreams_package")
@pytest.mark.parametrize(
    ("epochs", "how"),
    {
        13: "left no wts.h5.zip",
        14: "left a wts.h5.zip that is damaged",
        15: "left a wts.h5.zip that is empty",
        16: "left a wts.h5.zip that is not a ZIP archive",
        17: "was killed by signal 9",
        18: "ended with exit code 5",
        19: "left no wts.h5.zip",
        20: "left a wts.h5.zip that is damaged",
    }.items(),
)
def test_a_program_of_upstreams_that_leaves_no_whole_model_has_failed(
    tmp_path: Path, epochs: int, how: str
) -> None:
    asked = study(tmp_path / "study", **OF_UPSTREAM, training_pinn_epochs=epochs)
    stages = graph(asked)
    make_data(stages, KINDS["pinn"])
    assert subprocess.run(words(asked, KINDS["pinn"]), check=False).returncode == 1
    found = survey(stages)[KINDS["pinn"]]
    assert found.state is State.FAILED
    assert how in found.why


def test_without_upstreams_package_the_stage_says_what_to_install(tmp_path: Path) -> None:
    stages = graph(study(tmp_path, **OF_UPSTREAM))
    make_data(stages, KINDS["pinn"])
    with pytest.raises(PredictorUnavailableError, match="install PtychoPINN beside ptyrun"):
        make_all(stages.upto(KINDS["pinn"]))
