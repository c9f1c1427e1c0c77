"""What does one patch cost, by batch, threads and kernels, and what do these do to its numbers?"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.child import told
from benchmarks.figures import Figure, Scale, summed_up
from ptyrun.models.files import locate
from ptyrun.models.predictors import ModelRequest, open_predictor
from ptyrun.ptycho.readers.npz import NpzFile

N_GROUPS = 64
MAX_ROUNDS = 7
CENTRE = slice(22, 42)

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Variant:
    """One way of computing the same patches; the environment sets what TensorFlow does."""

    name: str
    batches: tuple[int, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


VARIANTS = (
    Variant("oneDNN", (1, 8, 16, 32, 64)),
    Variant("oneDNN, one thread", (16, 32), {"OMP_NUM_THREADS": "1"}),
    Variant("oneDNN, kernels of AVX2", (16,), {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    Variant("without oneDNN", (16, 32), {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    Variant(
        "XLA where it can",
        (16, 32),
        {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"},
    ),
)
QUICK = (Variant("oneDNN", (32,)),)


@dataclass(frozen=True)
class Network:
    """A network of the reference study, what upstream gave it, and what it gave upstream."""

    label: str
    folder: str
    gridsize: int

    def model(self, shared: Path) -> Path:
        """Its folder."""
        return shared / "golden/hub/data/phase_e/dose_1000" / self.folder

    def inputs(self, shared: Path) -> tuple[Float32, Float32]:
        """Normalised diffraction (B, N, N, C) and offsets (B, 1, 2, C) in px."""
        stored, scale = _reference(shared)
        amplitudes = np.asarray(stored.array("pinn_in_X") / scale, np.float32)
        if self.gridsize == 1:
            amplitudes = np.moveaxis(amplitudes, 3, 1).reshape(-1, *amplitudes.shape[1:3], 1)
            return amplitudes[:N_GROUPS], np.zeros((N_GROUPS, 1, 2, 1), np.float32)
        return amplitudes[:N_GROUPS], stored.array("pinn_in_coords")[:N_GROUPS]

    def outputs(self, shared: Path) -> NDArray[np.complex64]:
        """The patches (B, N, N) that upstream stored."""
        stored, _ = _reference(shared)
        if self.gridsize == 1:
            amplitude, phase = (stored.array(f"baseline_out_{part}") for part in ("amp", "phase"))
            return np.asarray((amplitude * np.exp(1j * phase))[:N_GROUPS, :, :, 0])
        return np.asarray(stored.array("pinn_patches")[:N_GROUPS, :, :, 0])


NETWORKS = (Network("PtychoPINN", "dense/gs2", 2), Network("Baseline", "baseline/gs1", 1))


@dataclass(frozen=True)
class Taken:
    """Milliseconds per patch of each round, and how far the patches are from upstream's.

    ``centre`` and ``whole`` are the largest differences; ``equal`` counts patches without any.
    """

    wall_ms: tuple[float, ...]
    cpu_ms: tuple[float, ...]
    centre: float
    whole: float
    equal: int


def measure(scale: Scale) -> list[Figure]:
    """Predict 64 groups in every variant, each in a process of its own."""
    return list(_figures(scale))


def _figures(scale: Scale) -> Iterator[Figure]:
    if not (scale.shared / "golden").is_dir():
        print(f"prediction: left out, there are no models in {scale.shared}", file=sys.stderr)
        return
    rounds = min(scale.rounds, MAX_ROUNDS)
    for network in NETWORKS:
        for variant in QUICK if scale.quick else VARIANTS:
            for batch in variant.batches:
                taken = _in_own_process(network, variant, batch, rounds, scale.shared)
                yield summed_up(
                    f"{network.label}, {variant.name}, batch {batch}",
                    taken.wall_ms,
                    "ms",
                    note=f"a patch; CPU at least {min(taken.cpu_ms):.1f} ms; off upstream's "
                    f"by {taken.centre:.1e} in the centre, {taken.whole:.1e} anywhere, "
                    f"{taken.equal} of {N_GROUPS} not at all",
                )


def _in_own_process(
    network: Network, variant: Variant, batch: int, rounds: int, shared: Path
) -> Taken:
    words = map(str, (NETWORKS.index(network), batch, rounds, shared))
    return Taken(**told(__name__, *words, environment=variant.environment))


def predict(network: Network, batch: int, rounds: int, shared: Path) -> Taken:
    """Predict here and now, with one round more than asked, so that everything is warm."""
    model = locate(network.model(shared))
    diffraction, offsets = network.inputs(shared)
    request = ModelRequest(model.path, diffraction.shape[1], network.gridsize, batch)
    predictor = open_predictor(model.backend, request)
    wall_ms, cpu_ms = [], []
    for _ in range(rounds + 1):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        patches = [
            predictor.predict(diffraction[start:][:batch], offsets[start:][:batch])
            for start in range(0, N_GROUPS, batch)
        ]
        wall_ms.append(1000 * (time.perf_counter() - wall_s) / N_GROUPS)
        cpu_ms.append(1000 * (time.process_time() - cpu_s) / N_GROUPS)
    off = np.abs(np.concatenate(patches) - network.outputs(shared))
    return Taken(
        tuple(wall_ms[1:]),
        tuple(cpu_ms[1:]),
        float(off[:, CENTRE, CENTRE].max()),
        float(off.max()),
        int((off.max(axis=(1, 2)) == 0).sum()),
    )


def _reference(shared: Path) -> tuple[NpzFile, np.float32]:
    folder = shared / "golden/upstream_train96"
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    return NpzFile(folder / "arrays.npz"), np.float32(golden["intensity_scale"])


if __name__ == "__main__":
    which, size, times, reference = sys.argv[1:]
    answer = predict(NETWORKS[int(which)], int(size), int(times), Path(reference))
    print(json.dumps(asdict(answer)))
