from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from click import Command, Context

import ptyrun
from ptyrun.cli.compare import command as compare_command
from ptyrun.cli.plan import command as plan_command
from ptyrun.cli.run import command as run_command
from ptyrun.door.words import CompareWords, PlanWords, SessionWords
from ptyrun.errors import UsageError
from tests.door.conftest import Example
from tests.studies import Study, content
from tests.studies import ptyrun as command_line

# What a command says to a person, and how it repeats itself; spellings of upstream's past.
OF_THE_LINE_ALONE = {"quiet", "verbose", "console_level", "until_complete", "crew", "help"}
OF_THE_PAST = {"trust_bundle", "fixed_canvas", "n_test_images", "n_subsample", "subsample_seed"}


def words_of(command: Command) -> set[str]:
    found = {
        max((word for word in option.opts if word.startswith("--")), key=len)[2:].replace("-", "_")
        for option in command.get_params(Context(command))
        if option.param_type_name == "option"
    }
    return found - OF_THE_LINE_ALONE - OF_THE_PAST


def test_a_call_has_the_words_of_the_command_line() -> None:
    assert {*CompareWords.__annotations__} | {"window"} == words_of(compare_command)
    assert {*SessionWords.__annotations__} | {"window"} == words_of(run_command)


def test_help_shows_the_words_that_type_checkers_are_told_with_their_defaults() -> None:
    shown = inspect.signature(ptyrun.compare).parameters
    assert {*shown} == {*CompareWords.__annotations__, "window"}
    of_plan = inspect.signature(ptyrun.plan).parameters
    assert {*of_plan} == {*PlanWords.__annotations__, "dry_run"} == words_of(plan_command)
    assert of_plan["dry_run"].default is False
    assert (shown["frc_sigma"].default, shown["grouping_seed"].default) == (0.0, 123)
    assert (shown["workers"].default, shown["skip_registration"].default) == (1, False)


@pytest.mark.slow
def test_a_call_plans_what_the_command_line_plans(study: Study, tmp_path: Path) -> None:
    said = command_line(*study.words(tmp_path / "line"))
    assert said.returncode == 0, said.stderr
    outcome = ptyrun.compare(
        pinn_dir=study.pinn,
        baseline_dir=str(study.baseline),
        test_data=study.scan,
        output_dir=tmp_path / "call",
        tike_recon_path=study.reconstruction,
        n_test_groups=40,
        pinn_chunk_size=7,
        baseline_chunk_size=7,
        pinn_predict_batch_size=4,
        baseline_predict_batch_size=4,
        trust_model=["pinn", "baseline"],
        window="10m",
    )
    assert outcome.stop.name == "COMPLETE" and outcome.results is not None
    assert content(tmp_path / "line") == content(tmp_path / "call")


def test_a_comparison_is_planned_and_computed_in_windows(example: Example, tmp_path: Path) -> None:
    run = ptyrun.plan(
        test_data=example.scan,
        output_dir=tmp_path / "run",
        arm=[{"name": "one", "reconstruction": str(example.reconstructions[0])}],
    )
    assert run.arms == ("one",) and run.run().stop.name == "COMPLETE"
    assert [*run.finalize().arms] == ["one"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"n_groups": 4}, "no option 'n_groups'"),
        ({"frc_sigma": -1}, "frc"),
        ({"window": "soon"}, "soon"),
        ({"only_arm": "unet"}, "unet"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(
    words: dict[str, Any], said: str, example: Example, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        ptyrun.compare(
            test_data=example.scan,
            output_dir=tmp_path / "run",
            tike_recon_path=example.reconstructions[0],
            **words,
        )
    assert not (tmp_path / "run").exists()


def test_what_would_be_planned_is_said_and_nothing_is_written(
    example: Example, tmp_path: Path
) -> None:
    words: dict[str, Any] = {
        "test_data": example.scan,
        "output_dir": tmp_path / "run",
        "tike_recon_path": example.reconstructions[0],
    }
    foreseen = ptyrun.plan(dry_run=True, **words)
    assert (foreseen.state.value, [*foreseen.arms]) == ("incomplete", ["reconstruction"])
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="dry"):
        ptyrun.compare(dry_run=True, **words)  # type: ignore[call-arg]


def test_workers_and_a_cluster_contradict_each_other_before_anything_is_written(
    example: Example, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--workers and --dask contradict each other"):
        ptyrun.compare(
            test_data=example.scan,
            output_dir=tmp_path / "run",
            tike_recon_path=example.reconstructions[0],
            workers=2,
            dask="tcp://nowhere:8786",
        )
    assert not (tmp_path / "run").exists()
