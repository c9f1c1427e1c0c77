"""How long does a large object take to become results, and how much memory?"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.child import told
from benchmarks.figures import Figure, Scale, summed_up
from benchmarks.processes import peak_mib
from ptyrun.config import ArmConfig, ArmKind, CompareConfig, Presentation

SIDE_PX, QUICK_PX = 2000, 500
FRAME_PX, N_FRAMES = 64, 1500
AIM_S, AIM_MIB = 30.0, 1024.0
MAX_ROUNDS = 3


def write_inputs(folder: Path, side_px: int) -> CompareConfig:
    """Write a scan of an object of so many pixels, and two reconstructions of it."""
    folder.mkdir()
    generator = np.random.default_rng(7)

    def smooth(sigma_px: float) -> NDArray[np.float64]:
        noise = gaussian_filter(generator.standard_normal((side_px, side_px)), sigma_px)
        return np.asarray(noise / noise.std())

    truth = ((1 + 0.1 * smooth(3)) * np.exp(0.3j * smooth(5))).astype(np.complex64)
    axis = np.arange(FRAME_PX) - FRAME_PX / 2
    probe = np.exp(-np.add.outer(axis**2, axis**2) / 200).astype(np.complex64)
    half = FRAME_PX // 2
    positions = generator.integers(half, side_px - half, (N_FRAMES, 2))
    cut = [truth[y - half : y + half, x - half : x + half] for y, x in positions]
    frames = np.abs(np.fft.fftshift(np.fft.fft2(np.array(cut) * probe, norm="ortho"), axes=(1, 2)))
    scan = folder / "scan.npz"
    np.savez(
        scan,
        allow_pickle=False,
        diffraction=frames.astype(np.float32),
        objectGuess=truth,
        probeGuess=probe,
        xcoords=positions[:, 1].astype(float),
        ycoords=positions[:, 0].astype(float),
    )
    arms = []
    for name, deviation in (("good", 0.05), ("poor", 0.1)):
        noise = generator.standard_normal((2, side_px, side_px)) * deviation
        recon = (truth + noise[0] + 1j * noise[1]).astype(np.complex64)
        path = folder / f"{name}.npz"
        np.savez(path, allow_pickle=False, reconstructed_object=recon, algorithm=name)
        arms.append(ArmConfig(name=name, label=name, path=path, kind=ArmKind.RECONSTRUCTION))
    return CompareConfig(
        scan=scan,
        output_dir=folder / "run",
        arms=tuple(arms),
        presentation=Presentation(save_npz=False, save_npz_aligned=False),
    )


def finalized(run: Path) -> dict[str, float]:
    """Finalize a planned run in this process; give seconds, and MiB at the most."""
    from ptyrun.stages.finalize import finalize

    begun = time.perf_counter()
    finalize(run)
    took_s = time.perf_counter() - begun
    return {"seconds": took_s, "cpu_s": time.process_time(), "mib": peak_mib()}


def measure(scale: Scale) -> list[Figure]:
    """Finalize a large object, each time in a fresh process."""
    from ptyrun.stages.plan import plan

    side_px = QUICK_PX if scale.quick else SIDE_PX
    found = []
    for number in range(min(scale.rounds, MAX_ROUNDS)):
        config = write_inputs(scale.scratch / str(number), side_px)
        plan(config)
        found.append(told(__name__, str(config.output_dir)))
    what = f"two arms of {side_px} x {side_px} px"
    return [
        summed_up("finalize", [each["seconds"] for each in found], "s", AIM_S, what),
        # A busy machine lengthens the first and not this one.
        summed_up("  of processors", [each["cpu_s"] for each in found], "s", None, what),
        summed_up("memory at the most", [each["mib"] for each in found], "MiB", AIM_MIB, what),
    ]


if __name__ == "__main__":
    print(json.dumps(finalized(Path(sys.argv[1]))))
    gc.freeze()  # as a command of ptyrun ends
