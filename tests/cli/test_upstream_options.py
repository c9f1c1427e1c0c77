"""Every option of upstream's compare_models is taken, in either spelling, and does what it says."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from ptyrun.cli.compare import command
from ptyrun.cli.compare_config import configuration
from ptyrun.config import CompareConfig, EvaluationOptions, Presentation, Registration
from tests.studies import Study, ptyrun

REQUIRED = {"--pinn_dir": "p", "--baseline_dir": "b", "--test_data": "t", "--output_dir": "o"}
TAKES_NO_VALUE = None

# Option, value, where it arrives in the configuration, and as what.
OPTIONS: list[tuple[str, str | None, str, Any]] = [
    ("--tike_recon_path", "r.npz", "arms[2].path", Path("r.npz")),
    ("--n-test-groups", "320", "selection.n_groups", 320),
    ("--n-test-subsample", "2000", "selection.n_subsample", 2000),
    ("--test-subsample-seed", "9", "selection.subsample_seed", 9),
    ("--pinn-chunk-size", "160", "arms[0].chunk_groups", 160),
    ("--baseline-chunk-size", "160", "arms[1].chunk_groups", 160),
    ("--pinn-predict-batch-size", "16", "arms[0].batch_groups", 16),
    ("--baseline-predict-batch-size", "16", "arms[1].batch_groups", 16),
    ("--pinn-debug-limit", "320", "arms[0].limit_groups", 320),
    ("--baseline-debug-limit", "320", "arms[1].limit_groups", 320),
    ("--baseline-debug-dir", "d", "presentation.baseline_debug_dir", "d"),
    ("--skip-registration", None, "evaluation.registration", Registration.NONE),
    (
        "--register-ptychi-only",
        None,
        "evaluation.registration",
        Registration.RECONSTRUCTION_ONLY,
    ),
    ("--phase-align-method", "mean", "evaluation.phase_align", "mean"),
    ("--frc-sigma", "0.5", "evaluation.frc_sigma", 0.5),
    ("--ms-ssim-sigma", "2.0", "evaluation.ms_ssim_sigma", 2.0),
    ("--stitch-crop-size", "24", "evaluation.stitch_crop_px", 24),
    ("--save-npz", None, "presentation.save_npz", True),
    ("--no-save-npz", None, "presentation.save_npz", False),
    ("--save-npz-aligned", None, "presentation.save_npz_aligned", True),
    ("--no-save-npz-aligned", None, "presentation.save_npz_aligned", False),
    ("--save-debug-images", None, "presentation.save_debug_images", True),
    ("--p_min", "5", "presentation.percentile_min", 5.0),
    ("--p_max", "95", "presentation.percentile_max", 95.0),
    ("--pinn_phase_vmin", "-1.5", "presentation.pinn_phase_vmin", -1.5),
    ("--pinn_phase_vmax", "1.5", "presentation.pinn_phase_vmax", 1.5),
    ("--baseline_phase_vmin", "-1", "presentation.baseline_phase_vmin", -1.0),
    ("--baseline_phase_vmax", "1", "presentation.baseline_phase_vmax", 1.0),
]
DEPRECATED = [
    ("--n-test-images", "--n-test-groups", "selection.n_groups"),
    ("--n-subsample", "--n-test-subsample", "selection.n_subsample"),
    ("--subsample-seed", "--test-subsample-seed", "selection.subsample_seed"),
]
CONSOLE = [["--quiet"], ["--verbose"], ["--console-level", "DEBUG"], ["--console_level", "error"]]


def spellings(option: str) -> list[str]:
    """With dashes and with underscores, the leading ones apart."""
    stem = option.removeprefix("--")
    return [f"--{stem.replace('_', '-')}", f"--{stem.replace('-', '_')}"]


def configured(*words: str, **required: str) -> CompareConfig:
    given = {**REQUIRED, **required}
    line = [part for pair in given.items() for part in pair]
    return configuration(dict(command.make_context("compare", [*line, *words]).params))


def arrived(config: CompareConfig, where: str) -> Any:
    arms = {f"arms[{n}]": arm for n, arm in enumerate(config.arms)}
    first, _, rest = where.partition(".")
    return attrgetter(rest)(arms[first]) if first in arms else attrgetter(where)(config)


@pytest.mark.parametrize(
    ("spelling", "value", "where", "expected"),
    [(s, *case[1:]) for case in OPTIONS for s in spellings(case[0])],
)
def test_every_option_of_upstream_is_taken_in_both_spellings(
    spelling: str, value: str | None, where: str, expected: Any
) -> None:
    words = [spelling] if value is TAKES_NO_VALUE else [spelling, value]
    assert arrived(configured(*words), where) == expected


@pytest.mark.parametrize("underscores", [True, False])
def test_what_upstream_requires_is_taken_in_both_spellings(underscores: bool) -> None:
    names = {spellings(name)[underscores]: value for name, value in REQUIRED.items()}
    line = [part for pair in names.items() for part in pair]
    config = configuration(dict(command.make_context("compare", line).params))
    assert [arm.path for arm in config.arms] == [Path("p"), Path("b")]
    assert (config.scan, config.output_dir) == (Path("t"), Path("o"))


def test_what_is_not_said_is_as_upstream_has_it() -> None:
    config = configured()
    assert config.evaluation == EvaluationOptions()
    assert config.presentation == Presentation()
    assert [arm.batch_groups for arm in config.arms] == [None, None], "as planned, else 32"
    assert config.selection.n_groups is config.selection.n_subsample is None
    assert (config.evaluation.frc_sigma, config.evaluation.ms_ssim_sigma) == (0.0, 1.0)
    assert config.evaluation.stitch_crop_px == 20
    assert config.presentation.percentiles(is_per_arm=True) == (10, 90)
    assert config.evaluation.phase_align == "plane"
    assert config.evaluation.registration is Registration.ALL


@pytest.mark.parametrize(("old", "new", "where"), DEPRECATED)
@pytest.mark.parametrize("underscores", [True, False])
def test_an_old_name_works_and_names_the_new_one(
    old: str, new: str, where: str, underscores: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert arrived(configured(spellings(old)[underscores], "33"), where) == 33
    assert f"warning: {old} is deprecated; use {new}" in capsys.readouterr().err


@pytest.mark.parametrize(("old", "new"), [case[:2] for case in DEPRECATED])
def test_an_old_name_beside_its_new_one_is_refused(
    old: str, new: str, study: Study, tmp_path: Path
) -> None:
    # A word given twice counts once for click; two names for it are a contradiction.
    words = [w for w in study.words(tmp_path / "run") if not w.startswith(new)]
    done = ptyrun(*words, f"{old}=20", f"{new}=30")
    assert done.returncode == 2
    assert f"{old} and {new} are both given" in done.stderr


@pytest.mark.parametrize("words", [*CONSOLE, ["--fixed-canvas"], ["--fixed_canvas"]], ids=" ".join)
def test_words_that_change_nothing_are_taken(words: list[str]) -> None:
    assert configured(*words) == configured()


@pytest.mark.slow
def test_the_baselines_debug_words_limit_it_to_the_frames_of_the_first_groups(
    study: Study, tmp_path: Path
) -> None:
    folder = tmp_path / "debug"
    words = study.words(tmp_path / "run", f"--baseline-debug-dir={folder}")
    done = ptyrun(*words, "--baseline-debug-limit=3", "--save-debug-images", "--no-save-npz")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in folder.iterdir()}
    assert {"baseline_debug.npz", "baseline_debug_stats.json"} <= names
    arrays: Any = zarr.open_group(tmp_path / "run/arrays.zarr", mode="r")
    limited = np.unique(np.asarray(arrays["index/pinn/frames"][:3]))
    assert np.array_equal(np.sort(np.asarray(arrays["index/baseline/frames"])[:, 0]), limited)
    assert not (tmp_path / "run/reconstructions.npz").exists()
    assert (tmp_path / "run/reconstructions_aligned.npz").exists()
    assert {path.stem for path in (tmp_path / "run/debug").iterdir()} == {
        "pinn",
        "baseline",
        "reconstruction",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--n-test-groups=5000"], ["5000 groups asked for; there are 60"]),
        (["--n-test-subsample=5000"], ["5000 images were asked for; there are 60"]),
        (
            ["--n-test-subsample=20", "--n-test-groups=40"],
            ["40 groups asked for; there are 20"],
        ),
        (["--n-test-subsample=60", "--n-test-groups=60"], []),
    ],
)
def test_who_asks_for_more_than_there_is_is_told_how_much_there_is(
    words: list[str], said: list[str], study: Study, tmp_path: Path
) -> None:
    planned = ptyrun("plan", *study.words(tmp_path / "run", *words)[1:])
    assert planned.returncode == 0, planned.stderr
    notes = planned.stderr.splitlines()
    assert [note for note in notes if "asked for" in note] == said


def test_more_than_the_groups_of_an_earlier_run_is_told_too(study: Study, tmp_path: Path) -> None:
    groups = tmp_path / "groups.npz"
    np.savez(groups, nn_indices=np.arange(12).reshape(3, 4))
    words = study.words(tmp_path / "run", f"--groups-from={groups}")
    assert "40 groups asked for; there are 3\n" in ptyrun("plan", *words[1:]).stderr
