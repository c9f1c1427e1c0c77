"""Which stages compare what a study made? A debug comparison, the full one, the list of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from ptyrun.config.study import Split, StudyOptions, View
from ptyrun.study import analysis
from ptyrun.study.hub import (
    PHASE_C,
    Hub,
    baseline_folder,
    dose_name,
    pinn_folder,
    reconstruction_file,
)
from ptyrun.study.stage import BASELINE, PINN, RECONSTRUCTION, SCAN, Input, Stage, built_in

# As upstream's study compares.
EVALUATION = {"phase_align_method": "plane", "frc_sigma": 0.5, "ms_ssim_sigma": 1.0}
RESULTS = (
    *("comparison_metrics.csv", "results.json", "comparison_plot.png"),
    *("reconstructions.npz", "reconstructions_aligned.npz", "comparison.log"),
)


def comparison_stages(hub: Hub, options: StudyOptions) -> Iterator[Stage]:
    """Give the comparisons of each dose, view and split, in upstream's order, and their list."""
    logs: list[str] = []
    for dose, view, split in product(sorted(options.doses), _in_order(options.views), Split):
        if split not in options.splits:
            continue
        folder = analysis.job_folder(dose, view, split)
        yield from _comparison(hub, options, dose, view, split)
        logs += [f"{folder}/{analysis.METRICS_CSV}", f"{folder}/{analysis.COMPARISON_LOG}"]
    yield built_in(
        hub,
        "comparisons",
        {},
        logs,
        [analysis.MANIFEST, analysis.MANIFEST_TEXT],
        method=1,
        dose=_filter(options.doses),
        view=_filter(options.views),
        split=_filter(options.splits),
    )


def _comparison(
    hub: Hub, options: StudyOptions, dose: float, view: View, split: Split
) -> Iterator[Stage]:
    axes = {"dose": f"{dose:.0f}", "view": str(view), "split": str(split)}
    # All frames of the half, as upstream's commands have it; a view's share trained its network.
    files = {
        SCAN: f"{PHASE_C}/{dose_name(dose)}/patched_{split}.npz",
        PINN: pinn_folder(dose, view),
        BASELINE: baseline_folder(dose),
        RECONSTRUCTION: reconstruction_file(dose, view, split),
    }
    yield from compared(hub, options, axes, files, analysis.job_folder(dose, view, split))


def compared(
    hub: Hub,
    options: StudyOptions,
    axes: Mapping[str, str],
    files: Mapping[str, str],
    full: str,
) -> Iterator[Stage]:
    """Give the debug comparison and the full one.

    Parameters
    ----------
    hub : Hub
    options : StudyOptions
    axes : mapping
        With the kind they make the stages' names.
    files : mapping
        By their roles, what is compared, below the hub; of models the folders.
    full : str
        Folder of the full comparison.
    """
    inputs = [
        Input(name, hub.path(name), role, is_folder=role in (PINN, BASELINE))
        for role, name in files.items()
    ]
    values = {
        "method": 1,
        "n_test_groups": options.n_test_groups,
        "chunk_groups": options.chunk_groups,
        "batch_groups": options.batch_groups,
        **EVALUATION,
    }
    debug = f"{full}{analysis.DEBUG}"

    def stage(kind: str, folder: str, more: str, last: str, **further: Any) -> Stage:
        reads: list[Input | str] = [*inputs, *([more] if more else [])]
        outputs = [f"{folder}/{name}" for name in (*RESULTS, last)]
        made = built_in(hub, kind, axes, reads, outputs, **values, **further)
        return replace(made, workspace=folder)

    yield stage("compare-debug", debug, "", analysis.GATE, groups=options.debug_groups)
    yield stage("compare", full, f"{debug}/{analysis.GATE}", analysis.PAGE)


def _in_order(chosen: Sequence[View]) -> list[View]:
    return [each for each in View if each in chosen]


def _filter(chosen: Sequence[Any]) -> Any:
    """What a manifest names as its filter: the only value."""
    only = chosen[0] if len(chosen) == 1 else None
    return str(only) if isinstance(only, str) else only
