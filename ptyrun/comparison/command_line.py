"""Which command makes a run again?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from ptyrun.config import ArmKind, EvaluationOptions, Fact, Presentation, Registration, Selection
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.ownership import FORMER_TRUST

# Arms with options of their own.
_ROLES = {"pinn": "PtychoPINN", "baseline": "Baseline"}
_OPTIONS = {
    "n_groups": "--n-test-groups",
    "n_subsample": "--n-test-subsample",
    "subsample_seed": "--test-subsample-seed",
    "grouping_seed": "--grouping-seed",
    "neighbor_count": "--neighbor-count",
    "diffraction_kind": "--diffraction-kind",
    "stitch_crop_px": "--stitch-crop-size",
    "alignment": "--alignment",
    "phase_align": "--phase-align-method",
    "frc_sigma": "--frc-sigma",
    "ms_ssim_sigma": "--ms-ssim-sigma",
    "percentile_min": "--p_min",
    "percentile_max": "--p_max",
    "pinn_phase_vmin": "--pinn_phase_vmin",
    "pinn_phase_vmax": "--pinn_phase_vmax",
    "baseline_phase_vmin": "--baseline_phase_vmin",
    "baseline_phase_vmax": "--baseline_phase_vmax",
    "baseline_debug_dir": "--baseline-debug-dir",
    "pixel_size_m": "--pixel-size-m",
}
_FLAGS: Mapping[tuple[str, Fact], str] = {
    ("registration", Registration.NONE.value): "--skip-registration",
    ("registration", Registration.RECONSTRUCTION_ONLY.value): "--register-ptychi-only",
    ("save_npz", False): "--no-save-npz",
    ("save_npz_aligned", False): "--no-save-npz-aligned",
    ("save_debug_images", True): "--save-debug-images",
}


def compare_command(manifest: Manifest, run_dir: Path) -> str:
    """Write the ``ptyrun compare`` that plans just this manifest, for a shell.

    Options that are as configured by default are left out, but for chunk and batch sizes; and so is
    trust in models, which only a person can say.
    """
    words = [
        *(word for arm in manifest.arms for word in _arm_words(arm, manifest.sources)),
        ("--test_data", str(manifest.sources["scan"])),
        ("--output_dir", str(run_dir)),
        *_chosen(manifest),
    ]
    lines = ["ptyrun compare", *(shlex.join(option) for option in words)]
    return " \\\n  ".join(lines)


def _arm_words(arm: ArmPlan, sources: Mapping[str, Fact]) -> Iterator[tuple[str, ...]]:
    path = str(sources[f"arm.{arm.name}"])
    if arm.kind == ArmKind.RECONSTRUCTION and arm.name == "reconstruction":
        yield "--tike_recon_path", path
    elif arm.kind == ArmKind.RECONSTRUCTION:
        yield "--arm", f"name={arm.name},reconstruction={path},label={arm.label}"
    elif _ROLES.get(arm.name) == arm.label:
        yield from _role_words(arm, path)
    else:
        yield "--arm", ",".join(f"{key}={value}" for key, value in _extra(arm, path).items())


def _role_words(arm: ArmPlan, path: str) -> Iterator[tuple[str, ...]]:
    yield f"--{arm.name}_dir", path
    yield f"--{arm.name}-backend", str(arm.facts["backend"])
    yield f"--{arm.name}-chunk-size", str(arm.chunk_items)
    yield f"--{arm.name}-predict-batch-size", str(arm.facts["batch_groups"])
    if arm.facts.get("limit_groups") is not None:
        yield f"--{arm.name}-debug-limit", str(arm.facts["limit_groups"])


def _extra(arm: ArmPlan, path: str) -> dict[str, Fact]:
    options = {
        name.removeprefix("option."): fact
        for name, fact in arm.facts.items()
        if name.startswith("option.") and name != FORMER_TRUST
    }
    limit = arm.facts.get("limit_groups")
    return {
        "name": arm.name,
        "path": path,
        "label": arm.label,
        "backend": arm.facts["backend"],
        "gridsize": arm.facts["gridsize"],
        "batch": arm.facts["batch_groups"],
        "chunk": arm.chunk_items,
        **({} if limit is None else {"limit": limit}),
        **options,
    }


def _chosen(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    defaults = {**Selection().facts(), **EvaluationOptions().facts(), **Presentation().facts()}
    found = {**manifest.shared, **manifest.sources}
    if "compression" in found:
        yield "--compression", str(found["compression"])
    if found.get("groups_from") is not None:
        yield "--groups-from", str(found["groups_from"])
    for name, default in defaults.items():
        value = found.get(name, default)
        if value == default:
            continue
        if name in _OPTIONS:
            yield _OPTIONS[name], str(value)
        elif (name, value) in _FLAGS:
            yield (_FLAGS[name, value],)
