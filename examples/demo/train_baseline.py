"""Train a small supervised network, one pattern to amplitude and phase, and save it with Keras."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hub import Hub, read_arguments, whole, write_manifest
from numpy.typing import NDArray
from recipes import Baseline

from ptyrun.backends.baseline_trainer import make_network
from ptyrun.ptycho.geometry.normalisation import normalisation_factor, normalised_groups
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.opening import open_scan

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

Float32 = NDArray[np.float32]

# The border of a patch is dark, and stitching takes its centre alone.
UNTRAINED_BORDER_PX = 18


@dataclass(frozen=True)
class Examples:
    """Patterns with their truth: each (n, N, N, 1) float32."""

    diffraction: Float32
    amplitude: Float32
    phase_rad: Float32


class Report(keras.callbacks.Callback):
    """Prints one line per epoch."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Say how far the patches still are from the truth."""
        errors = {name: loss**0.5 for name, loss in (logs or {}).items()}
        print(
            f"epoch {epoch + 1} of {self.params['epochs']}: root mean square error"
            f" {errors['amplitude_centre_loss']:.3f} in amplitude,"
            f" {errors['phase_centre_loss']:.3f} rad in phase",
            flush=True,
        )


def train_baseline(hub: Hub, recipe: Baseline) -> None:
    """Train on the truth of the train split and save the network as a Keras 3 file."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(recipe.seed)
    started = time.perf_counter()
    examples = mirrored(training_examples(hub.scan("train")))
    network = make_network(examples.diffraction.shape[1], recipe.fine_width, recipe.coarse_width)
    losses = fit(network, examples, recipe)
    model = hub.baseline / "baseline.keras"
    with whole(model) as partial:
        network.save(partial)
    write_manifest(
        hub.baseline_manifest,
        recipe.settings(),
        inputs=[hub.scan("train")],
        outputs=[model],
        figures={"losses": losses, "training_time_s": time.perf_counter() - started},
    )


def training_examples(path: Path) -> Examples:
    """Every frame of the scan once, normalised over all of them, and its true patch."""
    scan = open_scan(path)
    frames = np.arange(scan.n_frames)[:, None]
    factor = normalisation_factor(scan.energies(), frames, scan.patch_px)
    truth = NpzFile(path).array("Y")[..., None]
    return Examples(
        diffraction=normalised_groups(scan, frames, factor),
        amplitude=np.abs(truth).astype(np.float32),
        phase_rad=np.angle(truth).astype(np.float32),
    )


def mirrored(examples: Examples) -> Examples:
    """Four times as many: with this probe a mirrored object gives mirrored patterns."""

    def four(images: Float32) -> Float32:
        for axis in (1, 2):
            # Pixel N/2 is the centre and must stay where it is.
            flipped = np.roll(np.flip(images, axis), 1, axis)
            images = np.concatenate([images, flipped])
        return images

    return Examples(four(examples.diffraction), four(examples.amplitude), four(examples.phase_rad))


def fit(network: keras.Model, examples: Examples, recipe: Baseline) -> dict[str, list[float]]:
    """Minimise the mean squared error at the centres of the patches."""
    border = UNTRAINED_BORDER_PX
    centres = [
        keras.layers.Cropping2D(border, name=f"{name}_centre")(output)
        for name, output in zip(("amplitude", "phase"), network.outputs, strict=True)
    ]
    n_steps = recipe.epochs * (len(examples.diffraction) // recipe.batch_frames)
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 20,
        n_steps,
        warmup_target=recipe.learning_rate,
        warmup_steps=n_steps // 10,
    )
    trained = keras.Model(network.inputs, centres)
    trained.compile(keras.optimizers.Adam(rate), loss=["mse", "mse"])
    inner = np.s_[:, border:-border, border:-border]
    history = trained.fit(
        examples.diffraction,
        [examples.amplitude[inner], examples.phase_rad[inner]],
        batch_size=recipe.batch_frames,
        epochs=recipe.epochs,
        verbose=0,
        callbacks=[Report()],
    )
    return {name: [float(v) for v in values] for name, values in history.history.items()}


if __name__ == "__main__":
    train_baseline(read_arguments(__doc__)[0], Baseline())
