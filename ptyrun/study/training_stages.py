"""Which stages train the networks of a study?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ptyrun.config.study import Split, StudyOptions, View
from ptyrun.study.hub import (
    PHASE_C,
    PHASE_D,
    PHASE_E,
    Hub,
    baseline_folder,
    dose_name,
    pinn_folder,
)
from ptyrun.study.stage import IN_ONE_PIECE, Input, Stage, built_in
from ptyrun.training.settings import settings_of

PINN, BASELINE, LISTED = "train-pinn", "train-baseline", "training-manifest"
LOSSES, PICTURE = "training_losses.csv", "training_losses.png"
MANIFEST, SKIPPED = "training_manifest.json", "skip_summary.json"
# Trainers that are programs of upstream's package, by the file that each writes.
UPSTREAM = ("wts.h5.zip", "baseline_model.h5")


def training_stages(hub: Hub, options: StudyOptions) -> Iterator[Stage]:
    """Give one Baseline for each dose, one PINN for each dose and view, and the list of all.

    As upstream has it: the Baseline learns from all frames of the train half, a PINN from those
    of its view, both views with groups of four.
    """
    for dose in sorted(options.doses):
        axes, seed = {"dose": f"{dose:.0f}"}, options.training_seed
        data = _data_of_baseline(dose)
        yield trained_baseline(hub, options, axes, data, baseline_folder(dose), seed)
        for view in _views(options):
            data, folder = _data_of_pinn(dose, view), pinn_folder(dose, view)
            yield trained_pinn(hub, options, {**axes, "view": str(view)}, data, folder, seed)
    yield _list(hub, options)


def trained_baseline(
    hub: Hub, options: StudyOptions, axes: Mapping[str, str], data: str, folder: str, seed: int
) -> Stage:
    """Give the stage that trains a Baseline on the scan *data* and puts it into *folder*."""
    return built_in(
        hub,
        BASELINE,
        axes,
        [data],
        _outputs(folder, options.training_baseline),
        **_common(options, seed, options.training_baseline),
        epochs=options.training_baseline_epochs,
        settings=settings_of(options.training_baseline_set),
        gridsize=1,
    )


def trained_pinn(
    hub: Hub, options: StudyOptions, axes: Mapping[str, str], data: str, folder: str, seed: int
) -> Stage:
    """Give the stage that trains a PINN on the scan *data* and puts it into *folder*."""
    return built_in(
        hub,
        PINN,
        axes,
        [data],
        _outputs(folder, options.training_pinn),
        **_common(options, seed, options.training_pinn),
        epochs=options.training_pinn_epochs,
        settings=settings_of(options.training_pinn_set),
        gridsize=2,
    )


def _list(hub: Hub, options: StudyOptions) -> Stage:
    """List all networks, whoever makes them: whatever model lies in their folders."""
    jobs, models = [], []
    for dose in sorted(options.doses):
        places = [("baseline", 1, baseline_folder(dose), _data_of_baseline(dose))]
        for view in _views(options):
            places.append((str(view), 2, pinn_folder(dose, view), _data_of_pinn(dose, view)))
        for view_name, gridsize, folder, data in places:
            kind = BASELINE if gridsize == 1 else PINN
            stage = f"{kind}-{dose_name(dose)}" + (f"-{view_name}" if gridsize == 2 else "")
            models.append(Input(folder, hub.path(folder), stage, is_folder=True))
            jobs.append(
                {
                    "dose": dose,
                    "view": view_name,
                    "gridsize": gridsize,
                    "stage": stage,
                    "data": data,
                }
            )
    return built_in(
        hub,
        LISTED,
        {},
        models,
        [f"{PHASE_E}/{MANIFEST}", f"{PHASE_E}/{SKIPPED}"],
        method=1,
        jobs=jobs,
        root=hub.home,
        dose=options.doses[0] if len(options.doses) == 1 else None,
        view=str(options.views[0]) if len(options.views) == 1 else None,
    )


def _common(options: StudyOptions, seed: int, trainer: str) -> dict[str, Any]:
    whole = {IN_ONE_PIECE: True} if trainer in UPSTREAM else {}
    numbers = {"seed": seed, "threads": options.training_threads}
    return {"method": 1, "trainer": trainer, **numbers, **whole}


def _views(options: StudyOptions) -> list[View]:
    return [view for view in View if view in options.views]


def _data_of_baseline(dose: float) -> str:
    return f"{PHASE_C}/{dose_name(dose)}/patched_{Split.TRAIN}.npz"


def _data_of_pinn(dose: float, view: View) -> str:
    return f"{PHASE_D}/{dose_name(dose)}/{view}/{Split.TRAIN}.npz"


def _outputs(folder: str, model: str) -> list[str]:
    beside = () if model in UPSTREAM else (LOSSES, PICTURE)
    return [f"{folder}/{name}" for name in (model, *beside)]
