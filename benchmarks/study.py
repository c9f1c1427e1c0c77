"""How many windows would the real study take? Its plan, walked through with measured costs.

3 doses, 2 views, 2 halves of 10 304 positions, frames of 128 pixels, windows of 170 s, one stage at
a time. What this machine does is measured on a sample; the rest is stated, with its source.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, Scale
from ptyrun.config.study import Phase, StudyOptions
from ptyrun.engine.window import MARGIN
from ptyrun.ptycho.reconstruction.epie import Epie
from ptyrun.ptycho.reconstruction.reconstructor import ReconstructionRequest
from ptyrun.ptycho.simulation.exposure import FarField, counted_amplitude, noise_generator
from ptyrun.study.npz_writer import write_npz
from ptyrun.study.places import Processes
from ptyrun.study.plan import Study, graph
from ptyrun.study.stage import Stage

WINDOW_S = 170.0
N_FRAMES, FRAME_PX, OBJECT_PX = 10304, 128, 464
N_GROUPS = 5216  # of the larger half
START_S = 1.0  # of a window, and of a stage's process
CHECKPOINT_S = 5.0  # what training and reconstruction lose at most
# Assumed: plan, objects, metrics and page of one comparison on two cores.
RESULTS_S = 60.0
# Forward and backward pass cost three times the forward one: Kaplan et al., arXiv:2001.08361.
TRAINING = 3


@dataclass(frozen=True)
class Rates:
    """Seconds of one patch through each network, and where that is from."""

    name: str
    pinn_s: float
    baseline_s: float
    source: str


# From 64 to 128 pixels a convolution costs four times as much.
CPU = Rates("CPU", 4 * 4.7e-3, 4 * 6.1e-3, "docs/decisions/prediction-on-a-cpu.md, times 4")
GPU = Rates(
    "GPU",
    13e-3 / 32 / 4,
    10e-3 / 32,
    "stated for upstream's study on a GPU of 24 GB: 13 and 10 ms per 32",
)


@dataclass(frozen=True)
class Cost:
    """What a stage takes, and the shortest piece that a window keeps of it (0: all of it)."""

    seconds: float
    piece_s: float = 0.0


@dataclass(frozen=True)
class Costs:
    """What this machine was measured to take."""

    frame_s: float
    copied_frame_s: float
    epie_frame_s: float

    def of(self, stage: Stage, rates: Rates, options: StudyOptions) -> Cost:
        """Tell what one stage of the study takes."""
        half = N_FRAMES / 2
        groups = {"compare-debug": options.debug_groups, "compare": N_GROUPS - options.debug_groups}
        seen = {
            "train-pinn": (options.training_pinn_epochs, 4 * rates.pinn_s),
            "train-baseline": (options.training_baseline_epochs, rates.baseline_s),
        }
        if stage.kind == "simulate":
            return Cost(N_FRAMES * (self.frame_s + self.copied_frame_s), 256 * self.frame_s)
        if stage.kind in ("canonicalise", "patch", "split"):
            return Cost(N_FRAMES * self.copied_frame_s)
        if stage.kind == "overlap":
            return Cost(half * self.copied_frame_s)
        if stage.kind == "reconstruct":
            epochs = options.reconstruction_epochs
            return Cost(half * self.epie_frame_s * epochs, CHECKPOINT_S)
        if stage.kind in seen:
            epochs, one_s = seen[stage.kind]
            return Cost(TRAINING * half * epochs * one_s, CHECKPOINT_S)
        if stage.kind in groups:
            one_s = 4 * rates.pinn_s + rates.baseline_s
            chunk_s = options.chunk_groups * one_s
            return Cost(groups[stage.kind] * one_s + RESULTS_S, max(chunk_s, RESULTS_S / 4))
        return Cost(0.1)


def measure(scale: Scale) -> list[Figure]:
    """Measure what this machine does, and count the windows of the whole study."""
    costs = _costs(scale)
    figures = [
        Figure("one frame simulated", 1e3 * costs.frame_s, "ms", note="measured, 128 px"),
        Figure("one frame read and written", 1e3 * costs.copied_frame_s, "ms", note="measured"),
        Figure("one frame, one pass of ePIE", 1e3 * costs.epie_frame_s, "ms", note="measured"),
    ]
    base = scale.scratch / "base.npz"
    options = StudyOptions(hub=scale.scratch / "hub", base_npz=base, upto=Phase.COMPARISONS)
    stages = graph(Study(options)).stages
    for rates in (CPU, GPU):
        told = {stage.key: costs.of(stage, rates, options) for stage in stages}
        total_s = sum(cost.seconds for cost in told.values())
        windows = count(told, WINDOW_S)
        note = f"{len(stages)} stages, {total_s / 3600:.1f} h of work; networks: {rates.source}"
        figures.append(
            Figure(f"windows of 170 s, networks on a {rates.name}", windows, "", note=note)
        )
        figures += [
            Figure(
                f"of these {kind}", seconds / WINDOW_S, "", note=f"{seconds / 60:.0f} min of work"
            )
            for kind, seconds in _by_kind(stages, told).items()
            if seconds > WINDOW_S
        ]
    return figures


def count(costs: Mapping[str, Cost], window_s: float) -> int:
    """Count the windows that stages take one after the other; as a session fills them.

    Raises
    ------
    ValueError
        If a stage, or a piece of it, never fits.
    """
    windows, left_s = 1, window_s - START_S
    for key, cost in costs.items():
        rest_s = cost.seconds
        while rest_s > 0:
            piece_s = min(rest_s, cost.piece_s) if cost.piece_s else rest_s
            usable_s = left_s - START_S - Processes.lead_s
            if usable_s < MARGIN * piece_s:
                if left_s == window_s - START_S:
                    raise ValueError(f"{key} needs {piece_s:.0f} s in one piece")
                windows, left_s = windows + 1, window_s - START_S
                continue
            pieces = max(1, math.floor(usable_s / piece_s)) if cost.piece_s else 1
            done_s = min(rest_s, pieces * piece_s)
            rest_s -= done_s
            left_s -= done_s + START_S
    return windows


def _by_kind(stages: tuple[Stage, ...], told: Mapping[str, Cost]) -> dict[str, float]:
    found: dict[str, float] = {}
    for stage in stages:
        found[stage.kind] = found.get(stage.kind, 0.0) + told[stage.key].seconds
    return found


def _costs(scale: Scale) -> Costs:
    n_frames = 16 if scale.quick else 128
    random = np.random.default_rng(1)
    image = np.exp(1j * random.uniform(0, 1, (OBJECT_PX, OBJECT_PX))).astype(np.complex64)
    y, x = np.mgrid[:FRAME_PX, :FRAME_PX] - FRAME_PX // 2
    probe = np.exp(-(x**2 + y**2) / 800).astype(np.complex64)
    positions = random.uniform(70, OBJECT_PX - 70, (n_frames, 2))
    far_field = FarField(image, probe)
    frames = np.empty((n_frames, FRAME_PX, FRAME_PX), np.float32)

    def simulated() -> None:
        for number, position in enumerate(positions):
            noise = noise_generator(0, 1e4, number)
            frames[number] = counted_amplitude(far_field.intensity(position), 0.01, noise)

    def copied() -> None:
        path = Path(scale.scratch) / "copied.npz"
        write_npz(path, {"diffraction": frames})
        with np.load(path) as file:
            file["diffraction"].sum()

    def reconstructed() -> None:
        epie.advance()

    simulate_s = _fastest(simulated, scale.rounds)
    request = ReconstructionRequest(
        frames, positions, probe, (OBJECT_PX, OBJECT_PX), epochs=scale.rounds + 1
    )
    epie = Epie.open(request)
    return Costs(
        simulate_s / n_frames,
        _fastest(copied, scale.rounds) / n_frames,
        _fastest(reconstructed, scale.rounds) / n_frames,
    )


def _fastest(work: Callable[[], None], rounds: int) -> float:
    """Seconds of the fastest round, which a busy machine disturbs least."""
    took = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        work()
        took.append(time.perf_counter() - began_s)
    return min(took)
