"""Ways to change a hub after its work is done, and the check that is about each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Change = Callable[[Path], object]

OWNERS = {
    "analysis/comparison_manifest.json": "comparison_manifest",
    "analysis/comparison_summary.txt": "comparison_manifest",
    "analysis/metrics_summary.json": "metrics_summary",
    "analysis/dose_1000/dense/train/comparison_metrics.csv": "metrics_summary",
    "analysis/dose_1000/dense/test/comparison_metrics.csv": "metrics_summary",
    "analysis/metrics_summary.md": "metrics_summary_markdown",
    "analysis/aggregate_report.md": "aggregate_highlights",
    "analysis/aggregate_highlights.txt": "aggregate_highlights",
    "analysis/metrics_digest.md": "metrics_digest",
    "data/phase_c/dose_1000/patched_train.npz": "phase_c_metadata",
    "data/phase_c/dose_1000/patched_test.npz": "phase_c_metadata",
    "analysis/metrics_delta_summary.json": "delta_summary",
    "analysis/metrics_delta_highlights.txt": "delta_highlights",
    "analysis/metrics_delta_highlights_preview.txt": "delta_highlights",
    "analysis/ssim_grid_summary.md": "delta_highlights",
    "analysis/dose_1000/dense/train/comparison.log": "stage_logs",
    "cli/*": "stage_logs",
    "analysis/artifact_inventory.txt": "inventory",
    "data/phase_e/dose_1000/dense/gs2/wts.h5.zip": "inventory",
    "data/phase_f/dose_1000/dense/test/ptychi_reconstruction.npz": "inventory",
    "new file in hub": "inventory",
}
# What the summary says of the data is the business of the check of the data.
OWNERS_OF_CHANGES = {
    ("analysis/metrics_summary.json", "compliance of test set false"): "phase_c_metadata",
    ("analysis/metrics_summary.json", "compliance emptied"): "phase_c_metadata",
}


@dataclass(frozen=True)
class Tampering:
    """One change, and which check must fire; *also* may, because it needs the same file."""

    artifact: str
    change: str
    apply: Change

    @property
    def owner(self) -> str:
        artifact = "cli/*" if self.artifact.startswith("cli/") else self.artifact
        return OWNERS_OF_CHANGES.get((self.artifact, self.change), OWNERS[artifact])

    @property
    def also(self) -> frozenset[str]:
        """Checks that need the file that is gone or cannot be read."""
        found = set()
        if self.change == "deleted":
            found.add("inventory")
        if self.artifact == "analysis/metrics_summary.json":
            if self.change == "deleted":
                found.add("delta_summary")
            if self.change in ("deleted", "truncated to half"):
                found.add("phase_c_metadata")
        # A return code stands in the log, too. Else: the means of the comparisons that are left,
        # and the log of one that is named otherwise.
        if self.artifact == MANIFEST and self.change.startswith("a job removed"):
            found |= {"metrics_summary", "metrics_summary_markdown"}
        if self.artifact == MANIFEST and self.change.startswith("a return code"):
            found.add("stage_logs")
        if self.artifact == MANIFEST and self.change.startswith(("a log", "logs", "a split")):
            found |= {"stage_logs", "metrics_summary", "metrics_summary_markdown"}
        return frozenset(found)

    def __str__(self) -> str:
        return f"{self.artifact}: {self.change}"


def deleted(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def with_text(change: Callable[[str], str]) -> Change:
    def apply(path: Path) -> None:
        before = path.read_text(encoding="utf-8")
        after = change(before)
        assert after != before, "the change changes nothing"
        path.write_text(after, encoding="utf-8")

    return apply


def with_json(change: Callable[[Any], Any]) -> Change:
    def text(before: str) -> str:
        document = json.loads(before)
        changed = change(document)
        return json.dumps(document if changed is None else changed, indent=2)

    return with_text(text)


def with_lines(change: Callable[[list[str]], list[str]]) -> Change:
    return with_text(lambda before: "".join(change(before.splitlines(keepends=True))))


def setting(*keys: str | int, to: Any) -> Change:
    """Set one value of a JSON document; a function is applied to the old one."""

    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        old = document[keys[-1]]
        document[keys[-1]] = to(old) if callable(to) else to

    return with_json(change)


def without(*keys: str) -> Change:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return with_json(change)


def swapped(first: int, second: int) -> Change:
    def change(lines: list[str]) -> list[str]:
        lines[first], lines[second] = lines[second], lines[first]
        return lines

    return with_lines(change)


def _exchange_values(lines: list[str]) -> list[str]:
    one, three = (lines[i].partition(": ") for i in (0, 2))
    return ["".join((*one[:2], three[2])), lines[1], "".join((*three[:2], one[2])), lines[3]]


def _nudge(digits: int) -> Callable[[float], float]:
    return lambda old: old + 10.0**-digits


def _next_digit(text: str, line: int) -> str:
    """Alter the last digit of a line."""
    lines = text.splitlines(keepends=True)
    body = lines[line]
    at = max(i for i, each in enumerate(body) if each.isdigit())
    lines[line] = body[:at] + str((int(body[at]) + 1) % 10) + body[at + 1 :]
    return "".join(lines)


def altered(line: int) -> Change:
    return with_text(lambda text: _next_digit(text, line))


def containing(words: str) -> Callable[[str], int]:
    def find(text: str) -> int:
        lines = enumerate(text.splitlines())
        return next(i for i, each in lines if words in each and any(map(str.isdigit, each)))

    return find


def altered_where(words: str) -> Change:
    return with_text(lambda text: _next_digit(text, containing(words)(text)))


MANIFEST = "analysis/comparison_manifest.json"
SUMMARY = "analysis/metrics_summary.json"
DELTAS = "analysis/metrics_delta_summary.json"
HIGHLIGHTS = "analysis/metrics_delta_highlights.txt"
PREVIEW = "analysis/metrics_delta_highlights_preview.txt"
GRID = "analysis/ssim_grid_summary.md"
INVENTORY = "analysis/artifact_inventory.txt"
TEST_CSV = "analysis/dose_1000/dense/test/comparison_metrics.csv"
TRAIN_NPZ = "data/phase_c/dose_1000/patched_train.npz"
TEST_NPZ = "data/phase_c/dose_1000/patched_test.npz"
TEST_RECONSTRUCTION = "data/phase_f/dose_1000/dense/test/ptychi_reconstruction.npz"
LOGS = (
    *("phase_c_generation", "phase_d_dense", "phase_e_dense", "phase_f_train", "phase_g_train"),
    *("phase_g_test", "phase_e_dense_gs2_dose1000", "phase_f_dense_train", "phase_g_dense_train"),
    *("phase_g_dense_test", "metrics_digest_cli", "ssim_grid_cli"),
)
DELETED = (
    *(MANIFEST, "analysis/comparison_summary.txt", SUMMARY, "analysis/metrics_summary.md"),
    *("analysis/aggregate_report.md", "analysis/aggregate_highlights.txt"),
    *("analysis/metrics_digest.md", DELTAS, HIGHLIGHTS, PREVIEW, GRID, INVENTORY),
    *("analysis/dose_1000/dense/train/comparison_metrics.csv", TEST_CSV),
    *("analysis/dose_1000/dense/train/comparison.log", TRAIN_NPZ),
    *("data/phase_e/dose_1000/dense/gs2/wts.h5.zip", TEST_RECONSTRUCTION),
    *(f"cli/{log}.log" for log in LOGS),
)
TRUNCATED = (*DELETED[:16], TEST_NPZ, TEST_RECONSTRUCTION)
BY_NAME: dict[str, dict[str, Change]] = {
    "cli/phase_g_test.log": {"emptied": emptied},
    "cli/ssim_grid_cli.log": {"emptied": emptied},
    "cli/run_phase_g_dense.log": {"SUCCESS line removed": with_lines(lambda lines: lines[:-1])},
    "cli/phase_f_test.log": {
        "word complete removed": with_text(lambda text: text.replace("complete", ""))
    },
    MANIFEST: {
        "n_failed set to 1": setting("n_failed", to=1),
        "execution_results removed": without("execution_results"),
        "key n_success removed": without("n_success"),
        "is a JSON list": with_json(lambda document: [document]),
    },
    SUMMARY: {
        "a mean_phase altered": setting(
            "aggregate_metrics", "Baseline", "ms_ssim", "mean_phase", to=0.123
        ),
        "PtyChi model removed from aggregate": without("aggregate_metrics", "PtyChi"),
        "compliance of test set false": setting(
            "phase_c_metadata_compliance", "dose_1000", "test", "compliant", to=False
        ),
        "compliance emptied": setting("phase_c_metadata_compliance", to={}),
        "jobs emptied": setting("jobs", to=[]),
        "NaN in aggregate": setting(
            "aggregate_metrics", "Baseline", "mae", "mean_amplitude", to=float("nan")
        ),
    },
    DELTAS: {
        "amplitude ms_ssim vs_Baseline altered": setting(
            "deltas", "vs_Baseline", "ms_ssim", "amplitude", to=0.5
        ),
        "phase mae vs_PtyChi altered in the 7th decimal": setting(
            "deltas", "vs_PtyChi", "mae", "phase", to=_nudge(7)
        ),
        "phase ms_ssim altered in the 4th decimal": setting(
            "deltas", "vs_Baseline", "ms_ssim", "phase", to=_nudge(4)
        ),
        "vs_PtyChi removed": without("deltas", "vs_PtyChi"),
        "phase removed": without("deltas", "vs_Baseline", "mae", "phase"),
        "value is a string": setting("deltas", "vs_Baseline", "mae", "phase", to="0.1"),
        "value true": setting("deltas", "vs_Baseline", "mae", "phase", to=True),
        "value NaN": setting("deltas", "vs_Baseline", "mae", "phase", to=float("nan")),
        "generated_at without Z": setting("generated_at", to="2025-11-11T00:33:51+00:00"),
        "generated_at nonsense ending Z": setting("generated_at", to="nonsenseZ"),
        "source_metrics absolute path outside hub": setting("source_metrics", to="/etc/hostname"),
        "source_metrics with ..": setting(
            "source_metrics", to="../x/analysis/metrics_summary.json"
        ),
    },
    HIGHLIGHTS: {
        "amplitude value line 1 altered (+0.118)": with_text(
            lambda text: text.replace("amplitude +", "amplitude +9", 1)
        ),
        "two lines swapped": swapped(0, 1),
        "a line removed": with_lines(lambda lines: lines[:-1]),
        "values of lines 1 and 3 exchanged (substring trap)": with_lines(_exchange_values),
    },
    PREVIEW: {
        "word amplitude inserted": with_text(lambda text: text + "Amplitude\n"),
        "value line 1 altered": altered(0),
        "5 extra lines": with_text(lambda text: text + "more\n" * 5),
    },
    GRID: {
        "MS-SSIM value altered": altered_where("| vs_Baseline"),
        "PtyChi row removed": with_lines(
            lambda lines: [line for line in lines if "vs_PtyChi" not in line]
        ),
    },
    "analysis/metrics_digest.md": {
        "heading ## Highlights removed": with_text(lambda text: text.replace("## Highlights", ""))
    },
    "analysis/aggregate_highlights.txt": {"a number altered": altered_where("Baseline amplitude")},
    "analysis/aggregate_report.md": {"a number altered": altered_where("| Mean |")},
    TEST_CSV: {
        "Baseline rows removed": with_lines(
            lambda lines: [line for line in lines if not line.startswith("Baseline")]
        ),
        "a number altered": altered(2),
    },
    INVENTORY: {
        "backslash path added": with_text(lambda text: text + "zz\\windows.txt\n"),
        "drive letter path added": with_text(lambda text: text + "C:/windows.txt\n"),
        "an existing entry dropped": with_lines(lambda lines: lines[:3] + lines[4:]),
        "unsorted": swapped(1, 2),
        "duplicate lines": with_lines(lambda lines: [*lines[:2], lines[1], *lines[2:]]),
    },
    "new file in hub": {
        "file added after the inventory": lambda path: path.write_text("new", encoding="utf-8")
    },
}


def all_tamperings() -> list[Tampering]:
    found = [Tampering(name, "deleted", deleted) for name in DELETED]
    found += [Tampering(name, "truncated to half", truncated) for name in TRUNCATED]
    for artifact, changes in BY_NAME.items():
        found += [Tampering(artifact, change, apply) for change, apply in changes.items()]
    return found


def _without_a_job(document: Any) -> None:
    for name in ("jobs", "execution_results"):
        del document[name][0]
    document["n_jobs"] = document["n_success"] = 1


def _exchanged_logs(document: Any) -> None:
    one, other = document["execution_results"]
    one["log_path"], other["log_path"] = other["log_path"], one["log_path"]


def appended(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def cut_by_one(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


TRAIN_LOG = "analysis/dose_1000/dense/train/comparison.log"
# Beyond the table.
MORE: dict[str, dict[str, Change]] = {
    MANIFEST: {
        "a return code altered": setting("execution_results", 1, "returncode", to=1),
        "a job removed everywhere": with_json(_without_a_job),
        "a dose altered": setting("jobs", 0, "dose", to=2000),
        "a split altered": setting("execution_results", 0, "split", to="test"),
        "logs exchanged": with_json(_exchanged_logs),
        "a log of a stranger": setting("execution_results", 0, "log_path", to="x/y.log"),
        "a sigma altered": setting("jobs", 0, "ms_ssim_sigma", to=2.0),
        "a registration altered": setting("jobs", 0, "skip_registration", to=True),
        "data of the other split": setting(
            "jobs", 0, "phase_c_npz", to=lambda old: old.replace("train", "test")
        ),
        "a model of another dose": setting(
            "jobs", 0, "pinn_checkpoint", to=lambda old: old.replace("dose_1000", "dose_2000")
        ),
        "filters altered": setting("filters", "split", to="train"),
    },
    SUMMARY: {
        "aggregate emptied": setting("aggregate_metrics", to={}),
        "n_failed altered": setting("n_failed", to=1),
        "an amplitude altered": setting("jobs", 0, "metrics", 0, "amplitude", to=_nudge(6)),
    },
    DELTAS: {"made tomorrow": setting("generated_at", to="2999-01-01T00:00:00Z")},
    TRAIN_LOG: {
        "a return code altered": with_text(lambda text: text.replace("code: 0", "code: 1")),
        "its end cut off": cut_by_one,
        "a second return code": with_text(
            lambda text: text.replace("code: 0", "code: 0\nReturn code: 1")
        ),
        "a return code spelt otherwise": with_text(
            lambda text: text.replace("code: 0", "code: 00")
        ),
        "two commands": with_lines(lambda lines: [lines[0], *lines]),
        "no command": with_text(lambda text: text.replace("Command:", "Cmd:")),
        "reversed": with_lines(lambda lines: lines[::-1]),
        "a byte of zero": with_text(lambda text: f"{text[:5]}\0{text[5:]}"),
        "a byte order mark": with_text(lambda text: f"\ufeff{text}"),
    },
    "cli/run_phase_g_dense.log": {
        "a banner removed": with_lines(lambda lines: [*lines[:2], *lines[3:]]),
        "its end cut off": cut_by_one,
    },
    "cli/ssim_grid_cli.log": {"truncated to half": truncated},
    "data/phase_e/dose_1000/dense/gs2/wts.h5.zip": {"bytes appended": appended},
    TRAIN_NPZ: {"bytes appended": appended},
    INVENTORY: {"a path out of the hub": with_text(lambda text: "../x\n" + text)},
}


def more_tamperings() -> list[Tampering]:
    return [
        Tampering(artifact, change, apply)
        for artifact, changes in MORE.items()
        for change, apply in changes.items()
    ]
