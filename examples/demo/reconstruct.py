"""Reconstruct one half of the scan iteratively, by least squares as implemented in pty-chi.

LSQML: Odstrcil, Menzel & Guizar-Sicairos, Opt. Express 26, 3108 (2018),
doi:10.1364/OE.26.003108. The probe and the positions are known and stay as they are.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy as np
import torch
from hub import SPLITS, Hub, read_arguments, write_manifest, write_npz
from numpy.typing import NDArray
from recipes import Reconstruction

from ptyrun.backends.gaussian_blur import torchvision_or_stand_in
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.scan import Scan

os.environ["TQDM_DISABLE"] = "1"
try:
    with torchvision_or_stand_in():
        import ptychi
        import ptychi.api as api
        from ptychi.api.task import PtychographyTask
except ModuleNotFoundError as error:
    sys.exit(
        f"pty-chi cannot be imported: {error}\n"
        "  do:  pip install --no-deps ptychi==2.2.0 && pip install pydantic scikit-learn tqdm"
    )

ALGORITHM = "pty-chi LSQML"
EPOCHS_PER_LINE = 8


def reconstruct(hub: Hub, split: str, recipe: Reconstruction) -> None:
    """Reconstruct one split onto the whole object's pixel grid."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    found, residuals = iterate(open_scan(hub.scan(split)), recipe)
    computation_time_s = time.perf_counter() - started
    path = hub.reconstruction(split)
    write_npz(
        path,
        {
            "reconstructed_object": found,
            "algorithm": np.array(ALGORITHM),
            "computation_time": np.array(computation_time_s),
        },
    )
    write_manifest(
        hub.reconstruction_manifest(split),
        recipe.settings(),
        inputs=[hub.scan(split)],
        outputs=[path],
        figures={
            "ptychi_version": ptychi.__version__,
            "residuals": residuals,
            "computation_time_s": computation_time_s,
        },
    )


def iterate(scan: Scan, recipe: Reconstruction) -> tuple[NDArray[np.complex64], list[float]]:
    """Run pty-chi from empty space.

    Returns
    -------
    object : ndarray of complex64, shape (H, W)
        Pixel (r, c) is position (y, x) = (r, c); 1 where no light fell.
    residuals : list of float
        Mean squared difference of the amplitudes, after each report.
    """
    if scan.probe is None or scan.object_guess is None:
        raise SystemExit(f"{scan.path} holds no probe, or no object to take the size from")
    amplitudes = scan.amplitudes(np.arange(scan.n_frames))
    y, x = scan.positions_px.T
    residuals = []
    with PtychographyTask(
        options(recipe),
        diffraction_data=amplitudes**2,
        object_data=np.ones((1, *scan.object_guess.shape), np.complex64),
        # pty-chi's far field is the sum of N x N terms, not divided by N.
        probe_data=scan.probe[None, None] / scan.patch_px,
        probe_position_x_px=x,
        probe_position_y_px=y,
    ) as entered:
        task: Any = entered
        for done in range(0, recipe.epochs, EPOCHS_PER_LINE):
            task.run(min(EPOCHS_PER_LINE, recipe.epochs - done))
            table = task.reconstructor.loss_tracker.table
            residuals.append(float(table["loss"].iloc[-1]))
            print(
                f"epoch {len(table)} of {recipe.epochs}: mean residual {residuals[-1]:.5f}",
                flush=True,
            )
        found = task.get_data_to_cpu("object", as_numpy=True)[0]
    return found.astype(np.complex64), residuals


def options(recipe: Reconstruction) -> api.LSQMLOptions:
    """Settings of pty-chi: known probe, known positions, one thread, repeatable."""
    chosen = api.LSQMLOptions()
    method = chosen.reconstructor_options
    method.num_epochs = recipe.epochs
    method.batch_size = recipe.batch_frames
    method.default_device = api.Devices.CPU
    method.random_seed = recipe.seed
    method.allow_nondeterministic_algorithms = False
    method.rescale_probe_intensity_in_first_epoch = False
    chosen.object_options.remove_object_probe_ambiguity.enabled = False
    # pty-chi centres a patch between its two middle pixels, the study on the upper one.
    origin = api.ObjectPosOriginCoordsMethods.SPECIFIED
    chosen.object_options.determine_position_origin_coords_by = origin
    chosen.object_options.position_origin_coords = [-0.5, -0.5]
    chosen.probe_options.optimizable = False
    chosen.probe_position_options.optimizable = False
    return chosen


if __name__ == "__main__":
    study, given = read_arguments(__doc__, "split")
    if given.split not in SPLITS:
        sys.exit(f"there is no split {given.split!r}: choose from {', '.join(SPLITS)}")
    reconstruct(study, given.split, Reconstruction())
