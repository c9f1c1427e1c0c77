"""By how much is a window overrun, whatever is slow, and is a run completed all the same?

Measured from outside, from the start of ``ptyrun compare`` to its end.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import slow
from benchmarks.figures import Figure, Scale
from benchmarks.slow import Slowness
from ptyrun.errors import ExitCode

AIM_S = 2.0
KINDS = {
    "import": Slowness(imports_s={"numpy": 9.0}),
    "load": Slowness(load_s=9.0),
    "chunk": Slowness(batch_s=4.0),
    "fsync": Slowness(fsync_s=0.3),
    "finalize": Slowness(imports_s={"scipy.ndimage": 5.0, "matplotlib": 5.0}),
}
WINDOWS_PER_KIND = 8
LENGTHS_S = (3.0, 20.0)
FIRST_LOOP_S = 3
PATIENCE_S = 900.0


@dataclass(frozen=True)
class Ended:
    """One window: how long it was to be, how long it took, and its exit code."""

    length_s: float
    took_s: float
    code: int

    @property
    def overrun_s(self) -> float:
        """Seconds past its end; negative if it ended before."""
        return self.took_s - self.length_s


class Comparison:
    """One comparison that is called again and again, as slow as it is told to be."""

    def __init__(self, run_dir: Path, site: Path, model: Path, scan: Path) -> None:
        self._words = [
            *[sys.executable, "-m", "ptyrun", "compare", f"--pinn_dir={model}"],
            *[f"--test_data={scan}", "--quiet"],
            *["--pinn-chunk-size=8", "--pinn-predict-batch-size=8", "--stitch_crop_size=16"],
        ]
        self._run_dir = run_dir
        self._runs = 0
        self._site = site
        self._runtime = run_dir.with_suffix(".runtime")
        self._runtime.mkdir(parents=True)
        self.slowness = Slowness()
        self.said = run_dir.with_suffix(".log")

    def begin_another_run(self) -> None:
        """Write into another folder from now on."""
        self._runs += 1

    def window(self, length_s: float) -> Ended:
        """Call it once with a window, and wait for its end."""
        began_s = time.monotonic()
        code = self._call("--window", f"{length_s:.2f}s")
        return Ended(length_s, time.monotonic() - began_s, code)

    def completed(self) -> int:
        """Let it drive itself, from windows that are too short, and give its exit code."""
        return self._call("--until-complete", "--window", f"{FIRST_LOOP_S}s")

    def _call(self, *words: str) -> int:
        with self.said.open("ab") as said:
            done = subprocess.run(
                [*self._words, f"--output_dir={self._run_dir}-{self._runs}", *words],
                env={
                    **self.slowness.environment(self._site),
                    "XDG_RUNTIME_DIR": str(self._runtime),
                    "CUDA_VISIBLE_DEVICES": "",
                },
                stdout=said,
                stderr=said,
                timeout=PATIENCE_S,
                check=False,
            )
        return done.returncode


def write_scan(path: Path, n_frames: int = 48, patch_px: int = 32) -> Path:
    """Write a small scan of noise on a grid that covers its object."""
    generator = np.random.default_rng(5)
    half, side = patch_px // 2, 96
    image = np.exp(1j * generator.uniform(0, 1, (side, side))).astype(np.complex64)
    centres = generator.uniform(half, side - half, (n_frames, 2)).round()
    patches = np.stack(
        [image[y - half : y + half, x - half : x + half] for y, x in centres.astype(int)]
    )
    frames = np.abs(np.fft.fftshift(np.fft.fft2(patches, norm="ortho"), axes=(1, 2)))
    np.savez(
        path,
        diffraction=frames.astype(np.float32),
        probeGuess=np.ones((patch_px, patch_px), np.complex64),
        objectGuess=image,
        ycoords=centres[:, 0],
        xcoords=centres[:, 1],
    )
    return path


def ended_windows(comparison: Comparison, lengths_s: Sequence[float]) -> list[Ended]:
    """Call a comparison with one window after the other; one that is complete is begun afresh."""
    ended: list[Ended] = []
    for length_s in lengths_s:
        if ended and ended[-1].code == ExitCode.COMPLETE:
            comparison.begin_another_run()
        ended.append(comparison.window(length_s))
    return ended


def measure(scale: Scale) -> list[Figure]:
    """Forty windows of 3 to 20 s on comparisons of five kinds, completed at the end."""
    site, model = slow.install(scale.scratch / "slow")
    scan = write_scan(scale.scratch / "scan.npz")
    dice = random.Random(11)
    windows = 1 if scale.quick else WINDOWS_PER_KIND
    lengths = {kind: [dice.uniform(*LENGTHS_S) for _ in range(windows)] for kind in KINDS}

    def one(kind: str) -> tuple[Figure, bool]:
        comparison = Comparison(scale.scratch / kind, site, model, scan)
        comparison.slowness = KINDS[kind]
        ended = ended_windows(comparison, lengths[kind])
        code = comparison.completed()
        worst = max(ended, key=lambda each: each.overrun_s)
        others = sorted({each.code for each in ended} - {0, int(ExitCode.INCOMPLETE)})
        note = f"{len(ended)} windows, the worst one of {worst.length_s:.1f} s; in the end: "
        note += "complete" if code == 0 else f"EXIT CODE {code}, {_last_line(comparison.said)}"
        if others:
            note += f"; others said {others}"
        return Figure(f"overrun, slow {kind}", worst.overrun_s, "s", AIM_S, note=note), code == 0

    with ThreadPoolExecutor(max_workers=min(len(KINDS), os.cpu_count() or 1)) as pool:
        found = list(pool.map(one, KINDS))
    figures = [figure for figure, _ in found]
    note = f"of {windows * len(KINDS)} windows; complete in the end: "
    note += f"{sum(is_complete for _, is_complete in found)} of {len(found)} kinds"
    worst_s = max(figure.value for figure in figures)
    return [*figures, Figure("worst overrun", worst_s, "s", AIM_S, note=note)]


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "without a word"
