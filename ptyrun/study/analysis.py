"""What are the files of a hub's analysis called?"""

from __future__ import annotations

from ptyrun import paths
from ptyrun.study.hub import ANALYSIS, COMPARISON_MANIFEST, dose_name

FOLDER = ANALYSIS
MANIFEST = COMPARISON_MANIFEST
MANIFEST_TEXT = f"{FOLDER}/comparison_summary.txt"
SUMMARY = f"{FOLDER}/metrics_summary.json"
SUMMARY_TEXT = f"{FOLDER}/metrics_summary.md"
REPORT = f"{FOLDER}/aggregate_report.md"
HIGHLIGHTS = f"{FOLDER}/aggregate_highlights.txt"
DIGEST = f"{FOLDER}/metrics_digest.md"
DELTAS = f"{FOLDER}/metrics_delta_summary.json"
DELTA_HIGHLIGHTS = f"{FOLDER}/metrics_delta_highlights.txt"
PREVIEW = f"{FOLDER}/metrics_delta_highlights_preview.txt"
GRID = f"{FOLDER}/ssim_grid_summary.md"
INVENTORY = f"{FOLDER}/artifact_inventory.txt"

# Of ptyrun's own, beside upstream's.
PARAMETERS = f"{FOLDER}/study_parameters.json"
JOB_TABLE = f"{FOLDER}/study_metrics.csv"
MEAN_TABLE = f"{FOLDER}/study_means.csv"
DELTA_TABLE = f"{FOLDER}/study_deltas.csv"
CERTAINTY_TABLE = f"{FOLDER}/study_certainty.csv"
LATEX_TABLE = f"{FOLDER}/study_tables.tex"

METRICS_CSV = "comparison_metrics.csv"
COMPARISON_LOG, GATE = paths.COMPARISON_LOG, paths.GATE
PAGE = "report/index.html"
DEBUG = "_debug_v4"


def job_folder(dose: float, view: str, split: str) -> str:
    """Where the comparison of one dose, view and split lies."""
    return f"{FOLDER}/{dose_name(dose)}/{view}/{split}"
