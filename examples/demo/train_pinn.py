"""Train a small gridsize-2 PINN on diffraction alone and export it: no labels, no ground truth."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from hub import Hub, read_arguments, write_manifest
from pinn_network import STAGES, WIDTH, UnrolledPinn
from torch import Tensor

from ptyrun.ptycho.grouping import draw_groups, local_offsets_px
from ptyrun.ptycho.normalisation import normalisation_factor, normalised_groups
from ptyrun.ptycho.scan import open_scan

GRIDSIZE = 2
EPOCHS = 4
BATCH_GROUPS = 16
LEARNING_RATE = 2e-3
WARM_UP = 0.15
SEED = 11


def settings(hub: Hub) -> dict[str, object]:
    """What decides the file of this step."""
    return {
        "gridsize": GRIDSIZE,
        "stages": STAGES,
        "width": WIDTH,
        "epochs": EPOCHS,
        "batch_groups": BATCH_GROUPS,
        "learning_rate": LEARNING_RATE,
        "seed": SEED,
    }


def train_pinn(hub: Hub) -> None:
    """Train on the train split and export the network as a ``torch.export`` program."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    started = time.perf_counter()
    diffraction, offsets, probe = training_groups(hub.scan("train"))
    network = UnrolledPinn(probe)
    residuals = fit(network, diffraction, offsets, EPOCHS)
    hub.pinn.mkdir(parents=True, exist_ok=True)
    model = hub.pinn / "pinn.pt2"
    export(network, diffraction[:2].clone(), offsets[:2].clone(), model)
    write_manifest(
        hub.pinn / "training_manifest.json",
        settings(hub),
        inputs=[hub.scan("train")],
        outputs=[model],
        figures={"residuals": residuals, "training_time_s": time.perf_counter() - started},
    )


def training_groups(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised groups (G, C, N, N), local offsets (G, C, 2), probe (N, N) on the same scale."""
    scan = open_scan(path)
    if scan.probe is None:
        raise SystemExit(f"{path} holds no probe, and the PINN needs one")
    frames = draw_groups(scan.positions_px, GRIDSIZE)
    factor = normalisation_factor(scan.energies(), frames, scan.patch_px)
    diffraction = torch.from_numpy(normalised_groups(scan, frames, factor)).permute(0, 3, 1, 2)
    offsets = local_offsets_px(scan.positions_px, frames)[:, 0].transpose(0, 2, 1)
    return (
        diffraction.contiguous(),
        torch.from_numpy(np.ascontiguousarray(offsets, np.float32)),
        torch.from_numpy(scan.probe * np.float32(factor)),
    )


def fit(network: UnrolledPinn, diffraction: Tensor, offsets: Tensor, epochs: int) -> list[float]:
    """Minimise the residual; the mean of each epoch is printed and returned."""
    n_batches = len(diffraction) // BATCH_GROUPS
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=epochs * n_batches, pct_start=WARM_UP
    )
    means = []
    for epoch in range(epochs):
        order = torch.randperm(len(diffraction))[: n_batches * BATCH_GROUPS]
        residuals = []
        for batch in order.view(n_batches, BATCH_GROUPS):
            given = diffraction[batch], offsets[batch]
            loss = network.residual(network(*given), *given)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            residuals.append(loss.item())
        means.append(float(np.mean(residuals)))
        print(f"epoch {epoch + 1} of {epochs}: {means[-1]:.3%} of the energy unexplained")
    return means


def export(network: UnrolledPinn, diffraction: Tensor, offsets: Tensor, path: Path) -> None:
    """Write a self-contained program for batches of any size, all or nothing."""
    batch = torch.export.Dim("batch")
    program = torch.export.export(
        network.eval(), (diffraction, offsets), dynamic_shapes=({0: batch}, {0: batch})
    )
    partial = path.with_name("partial.pt2")
    torch.export.save(program, partial)
    partial.replace(path)


if __name__ == "__main__":
    train_pinn(read_arguments(__doc__)[0])
