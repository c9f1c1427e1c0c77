"""Hubs as upstream leaves them, written here in small."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ptyrun.study.canonical import transformation
from ptyrun.study.history import History
from ptyrun.study.summaries.summarize import summarize

STAMP = "2026-01-02T03:04:05.000006Z"
MODELS = ("PtychoPINN", "Baseline", "PtyChi")
SPLITS = ("train", "test")
DATA = "/hubs/h/data"  # where the hub was when its comparisons ran
HELPERS = ("aggregate_report_cli", "metrics_digest_cli", "ssim_grid_cli")

Numbers = Mapping[str, tuple[float | None, float | None]]


def metrics_csv(models: Iterable[str] = MODELS, *, shift: float = 0.0) -> str:
    """A table of metrics with other numbers for every model."""
    memory = io.StringIO()
    writer = csv.writer(memory, lineterminator="\n")
    writer.writerow(("model", "metric", "amplitude", "phase", "value"))
    models = tuple(models)
    for number, model in enumerate(models):
        for metric, first in (("mae", 0.07), ("ssim", 0.81), ("ms_ssim", 0.92), ("frc50", 63.25)):
            pair = (first + shift - number * 0.11, first + shift + 0.03 - number * 0.13)
            writer.writerow((model, metric, *(f"{each:.6f}" for each in pair), ""))
    for model in models:
        writer.writerow((model, "computation_time_s", "", "", f"{17.5 + shift:.6f}"))
    return memory.getvalue()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_npz(path: Path, *, canonical: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    history = History.begun()
    if canonical:
        history = history.with_step(transformation({"flipx": False, "flipy": False}, STAMP))
    np.savez(path, diffraction=np.ones((3, 4, 4), "f4"), _metadata=history.as_member())


def manifest(splits: Iterable[str] = SPLITS, codes: Mapping[str, int] | None = None) -> str:
    keys = [{"dose": 1000, "view": "dense", "split": split} for split in splits]
    results = [
        {
            **key,
            "returncode": (codes or {}).get(str(key["split"]), 0),
            "log_path": f"dose_1000/dense/{key['split']}/comparison.log",
        }
        for key in keys
    ]
    failed = sum(each["returncode"] != 0 for each in results)
    document = {
        "n_jobs": len(keys),
        "filters": {"dose": None, "view": "dense", "split": None},
        "jobs": [
            {
                **key,
                "phase_c_npz": f"{DATA}/phase_c/dose_1000/patched_{key['split']}.npz",
                "pinn_checkpoint": f"{DATA}/phase_e/dose_1000/dense/gs2/wts.h5.zip",
                "baseline_checkpoint": f"{DATA}/phase_e/dose_1000/baseline/gs1/wts.h5.zip",
                "ms_ssim_sigma": 1.0,
                "skip_registration": False,
                "register_ptychi_only": True,
            }
            for key in keys
        ],
        "execution_results": results,
        "n_success": len(keys) - failed,
        "n_failed": failed,
    }
    return json.dumps(document, indent=2)


def manifest_text(splits: Iterable[str] = SPLITS) -> str:
    splits = tuple(splits)
    lines = ["Phase G Comparison Jobs Summary", "=" * 50, "", f"Total jobs: {len(splits)}"]
    lines += ["Filters: dose=None, view=dense, split=None", "", "Job Enumeration:"]
    for number, split in enumerate(splits, 1):
        lines.append(f"  {number:2d}. dose=1000 view=dense  split={split:<5}")
    return "\n".join(lines) + "\n"


def comparison_log(split: str, code: int = 0) -> str:
    models = f"--pinn_dir {DATA}/phase_e/dose_1000/dense/gs2"
    models += f" --baseline_dir {DATA}/phase_e/dose_1000/baseline/gs1"
    data = f"--test_data {DATA}/phase_c/dose_1000/patched_{split}.npz"
    words = f"python -m scripts.compare_models {models} {data} --ms-ssim-sigma 1.0"
    sections = "=== STDOUT ===\nmetrics\n\n\n=== STDERR ===\n"
    return f"Command: {words} --register-ptychi-only\nReturn code: {code}\n\n{sections}"


def write_hub(
    root: Path,
    models: Mapping[str, Iterable[str]] | None = None,
    splits: Iterable[str] = SPLITS,
    codes: Mapping[str, int] | None = None,
) -> Path:
    """Everything but the summaries: manifest, tables, logs, data, models, reconstructions."""
    splits = tuple(splits)
    write_comparisons(root, models, splits, codes)
    for split in splits:
        write_npz(root / f"data/phase_c/dose_1000/patched_{split}.npz")
        reconstruction = root / f"data/phase_f/dose_1000/dense/{split}/ptychi_reconstruction.npz"
        reconstruction.parent.mkdir(parents=True, exist_ok=True)
        np.savez(reconstruction, reconstructed_object=np.ones((8, 8), "c8"))
    for name in ("baseline/gs1", "dense/gs2"):
        folder = root / "data/phase_e/dose_1000" / name
        folder.mkdir(parents=True)
        np.savez(folder / "w.npz", w=np.arange(99.0))
        (folder / "w.npz").rename(folder / "wts.h5.zip")
    stages = ["c_generation", "d_dense", "e_baseline", "e_baseline_gs1_dose1000", "e_dense"]
    stages += ["e_dense_gs2_dose1000"]
    for split in splits:
        stages += [f"{phase}_{view}{split}" for phase in "fg" for view in ("", "dense_")]
    for stage in stages:
        write(root / f"cli/phase_{stage}.log", f"phase_{stage}.log complete\n")
    for helper in HELPERS:
        write(root / f"cli/{helper}.log", "ok\n")
    banners = "".join(f"[{number}/8] phase {number}\n" for number in range(1, 9))
    write(root / "cli/run_phase_g_dense.log", f"{banners}[run] SUCCESS: All phases completed\n")
    return root


def write_comparisons(
    root: Path,
    models: Mapping[str, Iterable[str]] | None = None,
    splits: Iterable[str] = SPLITS,
    codes: Mapping[str, int] | None = None,
) -> None:
    """The manifest, and of each comparison the table and the log."""
    splits = tuple(splits)
    write(root / "analysis/comparison_manifest.json", manifest(splits, codes))
    write(root / "analysis/comparison_summary.txt", manifest_text(splits))
    for number, split in enumerate(splits):
        folder = root / "analysis/dose_1000/dense" / split
        chosen = (models or {}).get(split, MODELS)
        write(folder / "comparison_metrics.csv", metrics_csv(chosen, shift=number * 0.001))
        write(folder / "comparison.log", comparison_log(split, (codes or {}).get(split, 0)))


def write_summed_hub(root: Path) -> Path:
    """A hub with nothing wrong."""
    summarize(write_hub(root))
    return root
