"""Which stages follow from a study as it is asked for? Pure: no file is read or written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from ptyrun.config.study import Phase, Split, StudyOptions, View
from ptyrun.study.comparison_plan import comparison_stages
from ptyrun.study.generalization_stages import generalization_stages
from ptyrun.study.graph import Graph
from ptyrun.study.hub import PHASE_C, PHASE_D, Hub, dose_name
from ptyrun.study.model_inputs import with_models
from ptyrun.study.others import OtherStage, placed, with_base
from ptyrun.study.reconstruction_stages import reconstruction_stages
from ptyrun.study.stage import Input, Stage, built_in
from ptyrun.study.training_stages import training_stages

BASE = "base"


@dataclass(frozen=True)
class Study:
    """A study as asked for: its options, and stages of others."""

    options: StudyOptions
    others: tuple[OtherStage, ...] = field(default=())

    @property
    def hub(self) -> Hub:
        """Where it lies."""
        return Hub(self.options.hub)


def graph(study: Study) -> Graph:
    """Give all stages of a study.

    Raises
    ------
    UsageError
        If a stage of others cannot be placed among them.
    """
    own = [*_phase_c(study)]
    if study.options.reaches(Phase.VIEWS):
        own += _phase_d(study)
    if study.options.reaches(Phase.NETWORKS):
        own += training_stages(study.hub, study.options)
    if study.options.reaches(Phase.RECONSTRUCTIONS):
        own += reconstruction_stages(study.hub, study.options)
    if study.options.reaches(Phase.COMPARISONS):
        own += comparison_stages(study.hub, study.options)
    if study.options.reaches(Phase.NETWORKS):
        own += generalization_stages(study.hub, study.options)
    stages = placed(study.hub, study.options, own, study.others)
    stages = with_base(stages, BASE, study.options.base_npz)
    return Graph.of(study.hub, with_models(study.hub, stages))


def _phase_c(study: Study) -> Iterator[Stage]:
    options, hub = study.options, study.hub
    base = Input(BASE, Path())
    for dose in options.doses:
        folder, axes = f"{PHASE_C}/{dose_name(dose)}", {"dose": f"{dose:.0f}"}
        raw, canonical, patched = (
            f"{folder}/{name}.npz" for name in ("simulated_raw", "canonical", "patched")
        )
        yield built_in(
            hub,
            "simulate",
            axes,
            [base],
            [raw],
            method=1,
            dose=dose,
            seed=options.seed,
            noise_seed=options.noise_seed,
            n_images=options.n_images,
            positions=options.positions,
        )
        yield built_in(hub, "canonicalise", axes, [raw], [canonical], method=1)
        yield built_in(hub, "patch", axes, [canonical], [patched], method=1)
        halves = [f"{folder}/patched_{split}.npz" for split in Split]
        yield built_in(
            hub,
            "split",
            axes,
            [patched],
            halves,
            method=1,
            fraction=options.split_fraction,
        )
    halves = [
        f"{PHASE_C}/{dose_name(dose)}/patched_{split}.npz"
        for dose in options.doses
        for split in Split
    ]
    yield built_in(
        hub,
        "manifest",
        {},
        halves,
        [f"{PHASE_C}/run_manifest.json"],
        method=1,
        doses=list(options.doses),
        root=hub.home,
    )


def _phase_d(study: Study) -> Iterator[Stage]:
    options = study.options
    for dose in options.doses:
        yield from chain.from_iterable(_views(study, dose, view) for view in options.views)


def _views(study: Study, dose: float, view: View) -> Iterator[Stage]:
    options, hub = study.options, study.hub
    folder = f"{PHASE_D}/{dose_name(dose)}/{view}"
    axes = {"dose": f"{dose:.0f}", "view": str(view)}
    learned = [Split.TRAIN] if options.reaches(Phase.NETWORKS) else []
    for split in dict.fromkeys([*options.splits, *learned]):
        yield built_in(
            hub,
            "overlap",
            {**axes, "split": str(split)},
            [f"{PHASE_C}/{dose_name(dose)}/patched_{split}.npz"],
            [f"{folder}/{split}.npz", f"{folder}/{split}_metrics.json"],
            method=1,
            gridsize=options.gridsize(view),
            s_img=options.s_img(view),
            n_groups=options.n_groups,
            neighbor_count=options.neighbor_count,
            probe_diameter_px=options.probe_diameter_px,
            rng_seed_subsample=options.subsample_seed,
        )
    yield built_in(
        hub,
        "bundle",
        axes,
        [f"{folder}/{split}_metrics.json" for split in options.splits],
        [f"{folder}/metrics_bundle.json"],
        method=1,
    )
