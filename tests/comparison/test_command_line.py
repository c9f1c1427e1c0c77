from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.cli import compare_config
from ptyrun.cli.compare import command
from ptyrun.comparison.command_line import compare_command
from ptyrun.config import (
    CompareConfig,
    Compression,
    EvaluationOptions,
    Fact,
    PhaseAlign,
    Presentation,
    Registration,
)
from ptyrun.engine.manifest import Manifest
from ptyrun.stages import plan
from tests.stages import finished_run
from tests.studies import Study


def read(text: str) -> CompareConfig:
    """What the command line makes of a command."""
    program, name, *words = shlex.split(text.replace("\\\n", " "))  # as a shell joins lines
    assert (program, name) == ("ptyrun", "compare")
    given = dict(command.make_context("compare", words).params)
    config = compare_config.configuration(given)
    return replace(config, arms=tuple(replace(arm, trusted=True) for arm in config.arms))


def evaluated(config: CompareConfig) -> CompareConfig:
    chosen = EvaluationOptions(
        stitch_crop_px=16,
        registration=Registration.RECONSTRUCTION_ONLY,
        phase_align=PhaseAlign.MEAN,
        frc_sigma=0.5,
    )
    return replace(config, evaluation=chosen)


def limited(config: CompareConfig) -> CompareConfig:
    pinn, baseline, reconstruction = config.arms
    few = (replace(pinn, limit_groups=12), replace(baseline, limit_groups=20))
    return replace(config, arms=(*few, reconstruction))


def with_a_further_arm(config: CompareConfig) -> CompareConfig:
    further = replace(config.arms[1], name="unet", label="Our U-Net", chunk_groups=9)
    return replace(config, arms=(*config.arms, further))


def presented(config: CompareConfig) -> CompareConfig:
    shown = Presentation(save_npz=False, percentile_min=5.0, pixel_size_m=5e-9)
    return replace(config, presentation=shown)


def stored_small(config: CompareConfig) -> CompareConfig:
    return replace(config, compression=Compression.LZ4)


HOSTILE: tuple[dict[str, Fact], ...] = (
    {"option.factory": "os:abort"},
    {"option.trusted": "yes"},
    {"trusted": True, "trust_model": "pinn", "adopt": True},
    {"option.trust_bundle": "yes", "trust_bundle": True},
)


@pytest.mark.parametrize("facts", HOSTILE)
def test_the_command_of_a_run_hands_out_no_trust(facts: dict[str, Fact]) -> None:
    planned = finished_run.manifest({**finished_run.LABELS, "unet": "Our U-Net"}, None)
    arms = tuple(replace(arm, facts={**arm.facts, **facts}) for arm in planned.arms)
    hostile = Manifest({**planned.shared, **facts}, arms, {**planned.sources, **facts})
    words = shlex.split(compare_command(hostile, Path("run")).replace("\\\n", " "))
    assert not [word for word in words if "trust" in word or "adopt" in word or "os:abort" in word]


@pytest.mark.parametrize(
    "change", [replace, evaluated, limited, with_a_further_arm, presented, stored_small]
)
def test_the_command_of_a_run_plans_the_same_run(
    study: Study, tmp_path: Path, change: object
) -> None:
    assert callable(change)
    config = change(study.config(tmp_path / "a run"))
    manifest = plan.check(config)
    again = read(compare_command(manifest, config.output_dir))
    assert plan.check(again).digest == manifest.digest
    assert again.output_dir == config.output_dir
    assert again.presentation == config.presentation
