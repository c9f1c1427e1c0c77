"""Train a small supervised network, one pattern to amplitude and phase, and save it with Keras."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hub import Hub, read_arguments, write_manifest
from numpy.typing import NDArray

from ptyrun.ptycho.normalisation import normalisation_factor, normalised_groups
from ptyrun.ptycho.npz import NpzFile
from ptyrun.ptycho.scan import open_scan

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

Float32 = NDArray[np.float32]

EPOCHS = 4
BATCH_FRAMES = 8
LEARNING_RATE = 2e-3
FINE_WIDTH = 16
COARSE_WIDTH = 48
# The border of a patch is dark, and stitching takes its centre alone.
UNTRAINED_BORDER_PX = 18
SEED = 17


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
        losses = logs or {}
        print(
            f"epoch {epoch + 1} of {EPOCHS}: error {losses['amplitude_centre_loss'] ** 0.5:.3f} in"
            f" amplitude, {losses['phase_centre_loss'] ** 0.5:.3f} rad in phase (root mean square)",
            flush=True,
        )


def settings(hub: Hub) -> dict[str, object]:
    """What decides the file of this step."""
    return {
        "gridsize": 1,
        "epochs": EPOCHS,
        "batch_frames": BATCH_FRAMES,
        "learning_rate": LEARNING_RATE,
        "fine_width": FINE_WIDTH,
        "coarse_width": COARSE_WIDTH,
        "seed": SEED,
    }


def train_baseline(hub: Hub) -> None:
    """Train on the truth of the train split and save the network as a Keras 3 file."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(SEED)
    started = time.perf_counter()
    examples = mirrored(training_examples(hub.scan("train")))
    network = make_network(examples.diffraction.shape[1])
    losses = fit(network, examples)
    hub.baseline.mkdir(parents=True, exist_ok=True)
    model = hub.baseline / "baseline.keras"
    partial = model.with_name("partial.keras")
    network.save(partial)
    partial.replace(model)
    write_manifest(
        hub.baseline / "training_manifest.json",
        settings(hub),
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


def make_network(patch_px: int) -> keras.Model:
    """U-Net from (B, N, N, 1) to amplitude and phase, (B, N, N, 1) each."""
    layers = keras.layers

    def convolution(x: tf.Tensor, width: int, size: int = 3, stride: int = 1) -> tf.Tensor:
        return layers.Conv2D(width, size, stride, padding="same", activation="relu")(x)

    def residual(x: tf.Tensor) -> tf.Tensor:
        inner = layers.Conv2D(COARSE_WIDTH, 3, padding="same")(convolution(x, COARSE_WIDTH))
        return layers.ReLU()(layers.Add()([x, inner]))

    def image(x: tf.Tensor, name: str) -> tf.Tensor:
        fine = convolution(x, FINE_WIDTH)
        return layers.Conv2DTranspose(1, 4, 2, padding="same", name=name)(fine)

    diffraction = keras.Input((patch_px, patch_px, 1), name="diffraction")
    fine = convolution(diffraction, FINE_WIDTH, size=6, stride=2)
    coarse = residual(residual(convolution(fine, COARSE_WIDTH, stride=2)))
    coarsest = residual(convolution(coarse, COARSE_WIDTH, stride=2))
    coarse = residual(layers.Add()([coarse, layers.UpSampling2D()(coarsest)]))
    risen = layers.Conv2DTranspose(FINE_WIDTH, 4, 2, padding="same", activation="relu")(coarse)
    merged = convolution(layers.Concatenate()([fine, risen]), FINE_WIDTH)
    return keras.Model(diffraction, [image(merged, "amplitude"), image(merged, "phase")])


def fit(network: keras.Model, examples: Examples) -> dict[str, list[float]]:
    """Minimise the mean squared error at the centres of the patches."""
    border = UNTRAINED_BORDER_PX
    centres = [
        keras.layers.Cropping2D(border, name=f"{name}_centre")(output)
        for name, output in zip(("amplitude", "phase"), network.outputs, strict=True)
    ]
    n_steps = EPOCHS * (len(examples.diffraction) // BATCH_FRAMES)
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE / 20, n_steps, warmup_target=LEARNING_RATE, warmup_steps=n_steps // 10
    )
    trained = keras.Model(network.inputs, centres)
    trained.compile(keras.optimizers.Adam(rate), loss=["mse", "mse"])
    inner = np.s_[:, border:-border, border:-border]
    history = trained.fit(
        examples.diffraction,
        [examples.amplitude[inner], examples.phase_rad[inner]],
        batch_size=BATCH_FRAMES,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[Report()],
    )
    return {name: [float(v) for v in values] for name, values in history.history.items()}


if __name__ == "__main__":
    train_baseline(read_arguments(__doc__)[0])
