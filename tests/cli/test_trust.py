"""Models that are programs run on the user's word alone, given for each arm and each session."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ptyrun.cli.compare import command
from ptyrun.cli.compare_config import configuration
from ptyrun.config import CompareConfig, SessionOptions
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import ExitCode, ModelError
from ptyrun.paths import RunPaths
from ptyrun.stages import plan, run
from tests.scan_networks import SmallNetwork
from tests.scans import write_network
from tests.studies import TRUST, TRUSTED, Study, content, ptyrun

USAGE = ExitCode.USAGE


class Hostile(SmallNetwork):
    """Writes a file when it is used."""

    def __init__(self, trace: Path) -> None:
        super().__init__(gridsize=2)
        self.trace = str(trace)

    def forward(self, diffraction: torch.Tensor) -> torch.Tensor:
        torch.save(diffraction, self.trace)
        return torch.polar(diffraction[:, 0], diffraction[:, 1])


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture
def hostile(study: Study, tmp_path: Path, trace: Path) -> Study:
    """The study, with a PINN that writes a file when it is used."""
    model = write_network(tmp_path / "hostile", gridsize=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Hostile(trace).eval()).save(model / "model.ts")
    return replace(study, pinn=model)


def test_the_old_word_trusts_bundles_alone(tmp_path: Path) -> None:
    for name in ("wts.h5.zip", "net.pt2"):
        (tmp_path / name).touch()
    words = ["--test_data=scan.npz", "--output_dir=run", "--trust-bundle"]
    words += [f"--arm=name={name[:3]},path={tmp_path / name}" for name in ("wts.h5.zip", "net.pt2")]
    config = configuration(dict(command.make_context("compare", words).params))
    assert {arm.name: arm.trusted for arm in config.arms} == {"wts": True, "net": False}


def without_trust(words: list[str], *arms: str) -> list[str]:
    return [word for word in words if word not in [f"--trust-model={arm}" for arm in arms]]


@pytest.mark.parametrize("command", ["compare", "plan"])
def test_a_program_is_refused_before_it_is_loaded(
    command: str, hostile: Study, tmp_path: Path, trace: Path
) -> None:
    words = [command, *hostile.words(tmp_path / "run")[1:]]
    done = ptyrun(*without_trust(words, "pinn"))
    assert done.returncode == USAGE
    assert "model.ts of arm pinn is a program" in done.stderr
    assert "--trust-model pinn" in done.stderr
    assert not (tmp_path / "run/manifest.json").exists()
    assert not trace.exists()


def test_trust_in_one_arm_is_no_trust_in_another(hostile: Study, tmp_path: Path) -> None:
    done = ptyrun(*without_trust(hostile.words(tmp_path / "run"), "baseline"))
    assert done.returncode == USAGE
    assert "--trust-model baseline" in done.stderr


@pytest.mark.parametrize("command", [["run"], ["run", "--workers=2"], ["start"]])
def test_trust_is_not_kept_in_the_run_and_asked_for_by_each_session(
    command: list[str], hostile: Study, tmp_path: Path, trace: Path
) -> None:
    run_dir = tmp_path / "run"
    assert ptyrun("plan", *hostile.words(run_dir)[1:]).returncode == 0
    planned = Manifest.load(run_dir / "manifest.json")
    assert not any("trust" in fact for arm in planned.arms for fact in arm.facts)
    done = ptyrun(*command, str(run_dir), TRUST[1])
    assert done.returncode == USAGE
    assert "--trust-model pinn" in done.stderr
    assert not trace.exists()


def test_trust_in_an_arm_that_is_not_there_is_refused(study: Study, tmp_path: Path) -> None:
    plan.plan(study.config(tmp_path / "run"))
    done = ptyrun("run", str(tmp_path / "run"), *TRUST, "--trust-model=unet")
    assert done.returncode == USAGE
    assert "pinn, baseline, reconstruction" in done.stderr


def test_a_run_that_needs_its_programs_no_more_asks_for_no_trust(
    study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    plan.plan(study.config(run_dir))
    assert run.run(run_dir, TRUSTED).stop is ExitCode.COMPLETE
    assert ptyrun("run", str(run_dir)).returncode == 0
    assert ptyrun("finalize", str(run_dir)).returncode == 0


@pytest.mark.parametrize("words", [["--workers=2"], ["--until-complete", "--max-chunks=8"]])
def test_trust_reaches_every_process_of_a_session(
    words: list[str], study: Study, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    plan.plan(study.config(run_dir))
    done = ptyrun("run", str(run_dir), *TRUST, *words)
    assert done.returncode == 0, done.stderr


def test_trust_reaches_every_process_of_a_tracked_session(study: Study, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    plan.plan(study.config(run_dir))
    words = [sys.executable, "-m", "ptyrun", "start", str(run_dir), *TRUST]
    assert subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert ptyrun("wait", str(run_dir)).returncode == 0


def with_former_fact(config: CompareConfig) -> Manifest:
    """The run, planned as older versions did where trust in bundles was given."""
    paths = RunPaths(config.output_dir)
    plan.plan(config)
    manifest = Manifest.load(paths.manifest)
    arms = [
        replace(arm, facts={**arm.facts, "option.trust_bundle": "yes"})
        if arm.kind == "predictor"
        else arm
        for arm in manifest.arms
    ]
    former = replace(manifest, arms=tuple(arms))
    former.save(paths.manifest)
    return former


def test_a_run_planned_when_trust_was_a_fact_goes_on(study: Study, tmp_path: Path) -> None:
    former = with_former_fact(study.config(tmp_path / "run"))
    with pytest.raises(ModelError, match="--trust-model pinn"):
        run.run(tmp_path / "run", SessionOptions())  # what a folder says of trust is not believed
    done = ptyrun("run", str(tmp_path / "run"), *TRUST, "--max-chunks=3")
    assert done.returncode == ExitCode.INCOMPLETE
    done = ptyrun(*study.words(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert Manifest.load(tmp_path / "run/manifest.json").digest == former.digest
    ptyrun(*study.words(tmp_path / "other"))
    found, expected = content(tmp_path / "run"), content(tmp_path / "other")
    for each in (found, expected):
        each.pop("results.json")  # quotes the digest
    assert found == expected


def test_the_backend_of_another_kind_of_file_is_refused(study: Study, tmp_path: Path) -> None:
    more = f"--arm=name=x,path={study.pinn / 'model.ts'},backend=tf"
    done = ptyrun(*study.words(tmp_path / "run"), more, "--trust-model=x")
    assert done.returncode == USAGE
    assert "the backend tf does not read model.ts" in done.stderr


def test_a_card_that_names_another_backend_opens_no_way_around_trust(
    hostile: Study, tmp_path: Path, trace: Path
) -> None:
    card = hostile.pinn / "model.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "backend": "another"}))
    words = without_trust(hostile.words(tmp_path / "run"), "pinn")
    done = ptyrun(*words, "--pinn-backend=pytorch")
    assert done.returncode == USAGE
    assert "--trust-model pinn" in done.stderr
    assert not trace.exists()
