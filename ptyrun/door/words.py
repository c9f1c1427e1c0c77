"""Which words does a call take? Those of the command line; types for who writes them.

A test holds them against the tables of options, from which their meaning comes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

Duration = float | str | None
PathWord = str | os.PathLike[str]


class MachineWords(TypedDict, total=False):
    """What helps one session, and what it may do; durations are seconds, or text like "170s"."""

    max_chunks: int | None
    shared_folder: bool
    device_wait: float | str
    lock_cpu: bool
    workers: int
    dask: str | None
    require_debug: PathWord | None
    unconfined: Sequence[str]


class SessionWords(MachineWords, total=False):
    """What bounds and helps one session on a run."""

    trust_model: Sequence[str]
    only_arm: Sequence[str]
    arm: Sequence[str]
    adopt: bool
    reuse: Sequence[PathWord]


class PlanWords(TypedDict, total=False):
    """What describes a comparison, and what becomes of a run that is there already."""

    config: PathWord
    test_data: PathWord
    output_dir: PathWord
    arm: Sequence[str | Mapping[str, Any]]
    pinn_dir: PathWord
    baseline_dir: PathWord
    tike_recon_path: PathWord
    pinn_backend: str
    baseline_backend: str
    pinn_chunk_size: int | str
    baseline_chunk_size: int | str
    pinn_predict_batch_size: int
    baseline_predict_batch_size: int
    pinn_debug_limit: int
    baseline_debug_limit: int
    n_test_groups: int | None
    n_test_subsample: int | None
    test_subsample_seed: int
    grouping_seed: int
    neighbor_count: int
    groups_from: PathWord | None
    ground_truth: PathWord | None
    diffraction_kind: str | None
    leave_out_dark: bool
    position_origin: str
    follow_links: PathWord | None
    stitch_crop_size: int
    alignment: str
    skip_registration: bool
    register_ptychi_only: bool
    phase_align_method: str
    frc_sigma: float
    ms_ssim_sigma: float
    save_npz: bool
    save_npz_aligned: bool
    save_debug_images: bool
    plot_scale: str
    vector_plots: bool
    p_min: float | None
    p_max: float | None
    pinn_phase_vmin: float | None
    pinn_phase_vmax: float | None
    baseline_phase_vmin: float | None
    baseline_phase_vmax: float | None
    baseline_debug_dir: PathWord | None
    line: str | None
    r_factor_frames: int | str
    pixel_size_m: float | None
    compression: str
    trust_model: Sequence[str]
    reuse: Sequence[PathWord]
    new: bool
    invalidate: Sequence[str]


class CompareWords(PlanWords, MachineWords, total=False):
    """What describes a comparison and bounds one session on it."""

    only_arm: Sequence[str]
