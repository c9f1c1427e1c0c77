"""Which stages follow from a study, and in which order?"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.config.study import Phase, Split, StudyOptions, View
from ptyrun.errors import UsageError
from ptyrun.study.config_file import StudyFile
from ptyrun.study.graph import Graph
from ptyrun.study.hub import Hub
from ptyrun.study.others import OtherStage, placed
from ptyrun.study.plan import Study, graph
from ptyrun.study.stage import Input, Stage
from ptyrun.study.state import State, survey
from tests.studies import ptyrun


def study(*others: OtherStage, **options: object) -> Study:
    given = {"hub": Path("hub"), "base_npz": Path("base.npz"), "doses": (1000.0,)}
    return Study(StudyOptions(**{**given, **options}), others)  # type: ignore[arg-type]


def keys(*others: OtherStage, **options: object) -> list[str]:
    return [stage.key for stage in graph(study(*others, **options)).stages]


def test_a_study_has_the_stages_of_its_doses_views_and_splits() -> None:
    assert keys(views=(View.DENSE,), splits=(Split.TEST,)) == [
        "simulate-dose_1000",
        "canonicalise-dose_1000",
        "patch-dose_1000",
        "split-dose_1000",
        "manifest",
        "overlap-dose_1000-dense-test",
        "bundle-dose_1000-dense",
    ]
    assert len(keys(doses=(1e3, 1e4, 1e5))) == 12 + 1 + 12 + 6


def test_a_study_goes_as_far_as_it_is_told() -> None:
    found = keys(upto=Phase.DATA, views=(View.DENSE,), splits=(Split.TEST,))
    assert found[-2:] == ["split-dose_1000", "manifest"]


def test_a_key_in_a_table_of_the_file_begins_with_the_tables_name(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("seed = 3\n[split]\nfraction = 0.25\n")
    assert StudyFile(tmp_path / "study.toml").options == {"seed": 3, "split_fraction": 0.25}


def test_an_unknown_key_in_a_table_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("[split]\nfracton = 0.25\n")
    with pytest.raises(UsageError, match=r"line 2, key 'fracton'.*\n.*mean 'split_fraction'"):
        StudyFile(tmp_path / "study.toml")


def test_a_stage_of_others_may_be_a_table_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('hub = "h"\n[stages.learn]\ncommand = ["true"]\noutputs = ["data/x"]\n')
    (stage,) = StudyFile(file).stages
    assert (stage.name, stage.command, stage.outputs) == ("learn", ("true",), ("data/x",))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("name = 's'\n[[stage]]\nname = 'a'\n[[stage]]\nname = 3\n", "line 5, key 'name'"),
        ("[stages.a]\ncommand = []\n[stages.b]\ncommand = 'true'\n", "line 4, key 'command'"),
        ("[stages.a]\n[stages.b]\ncomand = ['true']\n", "line 3, key 'comand'"),
        ("[stages]\na = 3\n", "line 1, key 'stages'"),
    ],
)
def test_the_line_of_a_fault_is_that_of_its_stage(tmp_path: Path, lines: str, said: str) -> None:
    (tmp_path / "study.toml").write_text(lines)
    with pytest.raises(UsageError, match=said):
        StudyFile(tmp_path / "study.toml")


def test_a_stage_that_cannot_be_placed_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("hub = 'h'\n\n[[stage]]\nname = 'x'\ncommand = ['a']\noutputs = ['../x']\n")
    with pytest.raises(UsageError, match=r"mine\.toml, line 3, stage 'x': output '\.\./x'"):
        placed(Hub(tmp_path), study().options, (), StudyFile(file).stages)


def test_names_of_files_are_upstreams() -> None:
    found = {name for stage in graph(study()).stages for name in stage.outputs}
    assert found >= {
        "data/phase_c/dose_1000/patched_train.npz",
        "data/phase_c/run_manifest.json",
        "data/phase_d/dose_1000/dense/train.npz",
        "data/phase_d/dose_1000/sparse/test_metrics.json",
        "data/phase_d/dose_1000/sparse/metrics_bundle.json",
    }


def test_the_plan_of_the_real_study_is_made_in_a_moment(tmp_path: Path) -> None:
    """The rest of the two seconds is Python's start."""
    began_s = time.process_time()
    stages = graph(study(hub=tmp_path, doses=(1e3, 1e4, 1e5)))
    assert len(survey(stages)) == 31
    assert time.process_time() - began_s < 1


def test_what_a_stage_needs_comes_before_it() -> None:
    stages = graph(study(doses=(1e3, 1e4)))
    seen: set[str] = set()
    for stage in stages.stages:
        assert seen.issuperset(stages.needs(stage))
        seen.add(stage.key)


def test_what_leads_to_a_stage_is_that_and_nothing_else() -> None:
    stages = graph(study(views=(View.DENSE,), doses=(1e3, 1e4)))
    assert [stage.key for stage in stages.upto("overlap-dose_10000-dense-test").stages] == [
        *(f"{kind}-dose_10000" for kind in ("simulate", "canonicalise", "patch", "split")),
        "overlap-dose_10000-dense-test",
    ]


@given(st.data())
def test_any_stages_without_a_circle_are_ordered_by_need(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 8))
    reads = [data.draw(st.sets(st.integers(0, i - 1)) if i else st.just(set())) for i in range(n)]
    hub = Hub(Path("hub"))
    made = [
        Stage(f"s{i}", "s", tuple(Input(f"f{j}", hub.path(f"f{j}")) for j in reads[i]), (f"f{i}",))
        for i in range(n)
    ]
    order = [s.key for s in Graph.of(hub, data.draw(st.permutations(made))).stages]
    assert sorted(order) == sorted(stage.key for stage in made)
    assert all(order.index(f"s{j}") < order.index(f"s{i}") for i in range(n) for j in reads[i])


def test_stages_that_need_each_other_are_named() -> None:
    one = OtherStage("one", ("true",), ("data/b",), ("data/a",))
    two = OtherStage("two", ("true",), ("data/a",), ("data/b",))
    with pytest.raises(UsageError, match="need each other"):
        graph(study(one, two))


def test_a_stage_of_others_is_made_for_each_value_that_it_names() -> None:
    other = OtherStage(
        "train",
        ("train", "{hub}/data/{dose}", "{view}"),
        ("data/phase_c/dose_{dose}/patched_train.npz",),
        ("data/phase_e/dose_{dose}/{view}/wts.h5.zip",),
    )
    stages = graph(study(other, doses=(1e3, 1e4)))
    names = [stage.key for stage in stages.stages if stage.kind.startswith("train")]
    assert names == [
        *("train-1000-dense", "train-1000-sparse", "train-10000-dense", "train-10000-sparse"),
    ]
    found = stages.by_key["train-10000-sparse"]
    assert found.command == ("train", f"{Path('hub').absolute()}/data/10000", "sparse")
    assert stages.needs(found) == ("split-dose_10000",)
    assert found.parameters["view"] == '"sparse"'


def test_a_stage_of_the_same_name_replaces_those_of_its_kind() -> None:
    other = OtherStage("simulate", ("my-simulator", "{dose}"), ("{here}/mine.npz",), here=Path("x"))
    stages = graph(study(other, doses=(1e3, 1e4), base_npz=None))
    found = stages.by_key["simulate-dose_10000"]
    assert found.command == ("my-simulator", "10000")
    assert found.outputs == ("data/phase_c/dose_10000/simulated_raw.npz",)
    assert [each.path for each in found.inputs] == [Path("x").absolute() / "mine.npz"]
    assert [each.name for each in found.inputs] == ["{here}/mine.npz"], "it may move"


ENDS = (".npz", "_metrics.json")


def test_a_stage_whose_name_with_its_values_is_known_takes_that_place() -> None:
    other = OtherStage(
        "overlap-dose_{dose}-{view}-{split}",
        ("mine", "{split}"),
        outputs=tuple(
            f"data/phase_d/dose_{{dose}}/{{view}}/{{split}}{end}"
            for end in (".npz", "_metrics.json")
        ),
    )
    stages = graph(study(other, views=(View.DENSE,)))
    assert stages.by_key["overlap-dose_1000-dense-test"].command == ("mine", "test")
    assert len(stages.stages) == len(graph(study(views=(View.DENSE,))).stages)


def test_ready_files_leave_out_what_led_to_them() -> None:
    ready = OtherStage("split-dose_1000", files=("a.npz", "b.npz"))
    found = keys(ready, doses=(1e3, 1e4))
    assert "simulate-dose_10000" in found
    assert not [key for key in found if key.endswith("dose_1000") and key != "split-dose_1000"]


def test_a_parameter_of_a_stage_of_others_counts() -> None:
    def facts(**parameters: int) -> str:
        other = OtherStage("t", ("t",), (), ("data/t",), parameters=parameters)
        return graph(study(other)).by_key["t"].facts({})

    assert facts(epochs=50) != facts(epochs=51)
    assert facts(epochs=50) == facts(epochs=50)


REFUSED = {
    "no outputs": (OtherStage("a", ("a",)), "no outputs"),
    "nothing to do": (OtherStage("a", (), (), ("data/a",)), "neither a command nor files"),
    "both": (OtherStage("a", ("a",), (), ("data/a",), ("f",)), "both"),
    "out of the hub": (OtherStage("a", ("a",), (), ("../a",)), "not below the hub"),
    "absolute": (OtherStage("a", ("a",), (), ("/a",)), "not below the hub"),
    "in the locks": (OtherStage("a", ("a",), (), ("locks/a",)), "cannot be used"),
    "input out of the hub": (OtherStage("a", ("a",), ("../a",), ("data/a",)), "leads out"),
    "unknown word": (OtherStage("a", ("a",), ("data/{dosis}",), ("data/a",)), "{dosis}"),
    "a name with a slash": (OtherStage("a/b", ("a",), (), ("data/a",)), "is not a name"),
    "an output of another": (
        OtherStage("a", ("a",), (), ("data/phase_c/run_manifest.json",)),
        "made by two stages",
    ),
    "too few files": (OtherStage("split", files=("a.npz",)), "1 file for 2 outputs"),
    "other outputs": (OtherStage("split", ("a",), (), ("data/a",)), "with other outputs"),
}


@pytest.mark.parametrize(("other", "named"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_placed_is_refused(other: OtherStage, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        graph(study(other))
    assert named in str(caught.value)


def test_a_stage_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'simulate-dose_1000'"):
        graph(study()).find("simulate-dose_100")


def test_a_missing_input_blocks_a_stage_by_name(tmp_path: Path) -> None:
    found = survey(graph(study(hub=tmp_path, base_npz=tmp_path / "nowhere.npz")))
    assert found["simulate-dose_1000"].state is State.BLOCKED
    assert "nowhere.npz" in found["simulate-dose_1000"].why
    assert found["split-dose_1000"].state is State.BLOCKED


def test_a_dose_that_no_noise_can_be_drawn_of_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the noise of that cannot be drawn"):
        StudyOptions(hub=tmp_path, doses=(1e30,))
    done = ptyrun("study", "run", "--hub", str(tmp_path / "hub"), "--dose", "1e30")
    assert done.returncode == 2
    assert "at least 1 and at most 1e+15 photons" in done.stderr
    assert not (tmp_path / "hub").exists()


def test_a_dose_that_is_said_twice_is_one() -> None:
    once, twice = (
        graph(Study(StudyOptions(hub=Path("hub"), base_npz=Path("base.npz"), doses=doses)))
        for doses in ((1000.0, 2000.0), (1000.0, 2000.0, 1000.0))
    )
    assert once == twice
