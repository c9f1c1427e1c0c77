"""The command lines of PtychoPINN's study, word for word, on a hub of its layout."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ptyrun.results import Results
from tests.studies import TRUST, Study, ptyrun

DEBUG = """
compare
  --pinn_dir "$HUB"/data/phase_e/dose_1000/dense/gs2
  --baseline_dir "$HUB"/data/phase_e/dose_1000/baseline/gs1
  --test_data "$HUB"/data/phase_c/dose_1000/patched_{split}.npz
  --output_dir "$HUB"/analysis/dose_1000/dense/{split}_debug_v4
  --n-test-groups 320
  --pinn-chunk-size 160 --pinn-predict-batch-size 16
  --baseline-debug-limit 320 --baseline-chunk-size 160 --baseline-predict-batch-size 16
  --phase-align-method plane --frc-sigma 0.5
  --tike_recon_path "$HUB"/data/phase_f/dose_1000/dense/{split}/ptychi_reconstruction.npz
  --register-ptychi-only
"""
FULL = """
compare
  --pinn_dir "$HUB"/data/phase_e/dose_1000/dense/gs2
  --baseline_dir "$HUB"/data/phase_e/dose_1000/baseline/gs1
  --test_data "$HUB"/data/phase_c/dose_1000/patched_{split}.npz
  --output_dir "$HUB"/analysis/dose_1000/dense/{split}
  --pinn-chunk-size 256 --pinn-predict-batch-size 16
  --baseline-chunk-size 256 --baseline-predict-batch-size 16
  --phase-align-method plane --frc-sigma 0.5
  --tike_recon_path "$HUB"/data/phase_f/dose_1000/dense/{split}/ptychi_reconstruction.npz
  --register-ptychi-only
"""


@pytest.fixture(scope="module")
def hub(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study where the study's commands look for it."""
    root = tmp_path_factory.mktemp("hub")
    data = root / "data"
    trained = data / "phase_e/dose_1000"
    shutil.copytree(study.pinn, trained / "dense/gs2")
    shutil.copytree(study.baseline, trained / "baseline/gs1")
    (data / "phase_c/dose_1000").mkdir(parents=True)
    for split in ("train", "test"):
        shutil.copyfile(study.scan, data / f"phase_c/dose_1000/patched_{split}.npz")
        folder = data / f"phase_f/dose_1000/dense/{split}"
        folder.mkdir(parents=True)
        shutil.copyfile(study.reconstruction, folder / "ptychi_reconstruction.npz")
    return root


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(("form", "folder"), [(DEBUG, "{}_debug_v4"), (FULL, "{}")])
def test_the_studys_commands_run_word_for_word(
    form: str, folder: str, split: str, hub: Path
) -> None:
    words = [word.replace("$HUB", str(hub)) for word in shlex.split(form.format(split=split))]
    # What stands for upstream's bundles here are TorchScript files, which ask for one more word.
    done = ptyrun(*words, *TRUST)
    assert done.returncode == 0, done.stderr
    run_dir = hub / "analysis/dose_1000/dense" / folder.format(split)
    table = pd.read_csv(run_dir / "comparison_metrics.csv")
    assert set(table["model"]) == {"PtychoPINN", "Baseline", "PtyChi"}
    arms = Results.load(run_dir / "results.json").arms
    assert arms["baseline"].diagnostics["nonzero_count"] > 0
    # Registration moves the third arm alone.
    moved = {arm for arm, found in arms.items() if "registration_offset_dy" in found.metrics}
    assert moved == {"reconstruction"}
