"""Train a small gridsize-2 PINN on diffraction alone and export it: no labels, no ground truth."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from hub import Hub, read_arguments, whole, write_manifest
from recipes import Pinn
from torch import Tensor

from ptyrun.backends.pinn_network import UnrolledPinn
from ptyrun.ptycho.geometry.grouping import draw_groups, local_offsets_px
from ptyrun.ptycho.geometry.normalisation import normalisation_factor, normalised_groups
from ptyrun.ptycho.readers.opening import open_scan

WARM_UP = 0.15


def train_pinn(hub: Hub, recipe: Pinn) -> None:
    """Train on the train split and export the network as a ``torch.export`` program."""
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    started = time.perf_counter()
    diffraction, offsets, probe = training_groups(hub.scan("train"))
    network = UnrolledPinn(probe, recipe.stages, recipe.width)
    residuals = fit(network, diffraction, offsets, recipe)
    model = hub.pinn / "pinn.pt2"
    export(network, diffraction[:2].clone(), offsets[:2].clone(), model)
    write_manifest(
        hub.pinn_manifest,
        recipe.settings(),
        inputs=[hub.scan("train")],
        outputs=[model],
        figures={"residuals": residuals, "training_time_s": time.perf_counter() - started},
    )


def training_groups(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised groups (G, C, N, N), local offsets (G, C, 2), probe (N, N) on the same scale."""
    scan = open_scan(path)
    if scan.probe is None:
        raise SystemExit(f"{path} holds no probe, and the PINN needs one")
    frames = draw_groups(scan.positions_px, Pinn.GRIDSIZE)
    factor = normalisation_factor(scan.energies(), frames, scan.patch_px)
    diffraction = torch.from_numpy(normalised_groups(scan, frames, factor)).permute(0, 3, 1, 2)
    offsets = local_offsets_px(scan.positions_px, frames)[:, 0].transpose(0, 2, 1)
    return (
        diffraction.contiguous(),
        torch.from_numpy(np.ascontiguousarray(offsets, np.float32)),
        torch.from_numpy(scan.probe * np.float32(factor)),
    )


def fit(network: UnrolledPinn, diffraction: Tensor, offsets: Tensor, recipe: Pinn) -> list[float]:
    """Minimise the residual; the mean of each epoch is printed and returned."""
    n_batches = len(diffraction) // recipe.batch_groups
    optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.epochs * n_batches, pct_start=WARM_UP
    )
    means = []
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(diffraction))[: n_batches * recipe.batch_groups]
        residuals = []
        for batch in order.view(n_batches, recipe.batch_groups):
            given = diffraction[batch], offsets[batch]
            loss = network.residual(network(*given), *given)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            residuals.append(loss.item())
        means.append(float(np.mean(residuals)))
        print(
            f"epoch {epoch + 1} of {recipe.epochs}: {means[-1]:.3%} of the energy unexplained",
            flush=True,
        )
    return means


def export(network: UnrolledPinn, diffraction: Tensor, offsets: Tensor, path: Path) -> None:
    """Write a self-contained program for batches of any size, all or nothing."""
    batch = torch.export.Dim("batch")
    program = torch.export.export(
        network.eval(), (diffraction, offsets), dynamic_shapes=({0: batch}, {0: batch})
    )
    with whole(path) as partial:
        torch.export.save(program, partial)


if __name__ == "__main__":
    train_pinn(read_arguments(__doc__)[0], Pinn())
