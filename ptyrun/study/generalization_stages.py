"""Which stages follow the training size? For each size and trial, frames, networks, results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ptyrun.config.study import Phase, Split, StudyOptions
from ptyrun.study.analysis import METRICS_CSV
from ptyrun.study.comparison_plan import compared
from ptyrun.study.hub import GENERALIZATION, PHASE_C, Hub, dose_name, reconstruction_file
from ptyrun.study.stage import BASELINE, PINN, RECONSTRUCTION, SCAN, Stage, built_in
from ptyrun.study.sweeps.names import ALL_TRIALS, FOLDER, RESULTS, page_of, tables_of
from ptyrun.study.sweeps.points import COMPARISON, Axis
from ptyrun.study.training_stages import trained_baseline, trained_pinn

SUBSET, AGGREGATE = "subset", "generalization"


def generalization_stages(hub: Hub, options: StudyOptions) -> Iterator[Stage]:
    """Give the stages of each dose, size and trial, and one that sums up those of a dose.

    They lie where upstream's study of the training size has them: ``train_N/trial_K``.
    """
    if not options.generalization_sizes:
        return
    for dose in options.doses:
        place = f"{GENERALIZATION}/{dose_name(dose)}"
        trials = []
        for size in options.generalization_sizes:
            for trial in range(1, options.generalization_trials + 1):
                folder = f"{place}/train_{size}/trial_{trial}"
                trials.append(folder)
                yield from _trial(hub, options, dose, size, trial, folder)
        if options.reaches(Phase.COMPARISONS):
            yield _aggregate(hub, dose, place, trials)


def _trial(
    hub: Hub, options: StudyOptions, dose: float, size: int, trial: int, folder: str
) -> Iterator[Stage]:
    axes: Mapping[str, str] = {
        "dose": f"{dose:.0f}",
        "size": f"train_{size}",
        "trial": f"trial_{trial}",
    }
    halves = f"{PHASE_C}/{dose_name(dose)}/patched"
    data = f"{folder}/train.npz"
    yield built_in(
        hub,
        SUBSET,
        axes,
        [f"{halves}_{Split.TRAIN}.npz"],
        [data],
        method=1,
        size=size,
        trial=trial,
        seed=options.subsample_seed,
    )
    seed = options.training_seed + trial - 1
    pinn, baseline = f"{folder}/pinn_run", f"{folder}/baseline_run"
    yield trained_pinn(hub, options, axes, data, pinn, seed)
    yield trained_baseline(hub, options, axes, data, baseline, seed)
    if options.reaches(Phase.COMPARISONS):
        files = {
            SCAN: f"{halves}_{Split.TEST}.npz",
            PINN: pinn,
            BASELINE: baseline,
            RECONSTRUCTION: reconstruction_file(dose, options.views[0], Split.TEST),
        }
        yield from compared(hub, options, axes, files, f"{folder}/{COMPARISON}")


def _aggregate(hub: Hub, dose: float, place: str, trials: list[str]) -> Stage:
    outputs = [f"{place}/{name}" for name in (RESULTS, ALL_TRIALS)]
    outputs += [f"{place}/{FOLDER}/{name}" for name in (*tables_of(Axis.SIZE), page_of(Axis.SIZE))]
    outputs += [f"{folder}/{METRICS_CSV}" for folder in trials]
    inputs = [f"{folder}/{COMPARISON}/{METRICS_CSV}" for folder in trials]
    return built_in(hub, AGGREGATE, {"dose": f"{dose:.0f}"}, inputs, outputs, method=1, place=place)
