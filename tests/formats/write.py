"""Write the small run that every later ptyrun must open: ``python -m tests.formats.write FOLDER``.

Done once for each released format; what was written then is never changed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from ptyrun.paths import RunPaths
from tests.scans import scan_arrays, small_object, write_network
from tests.studies import TRUST, ptyrun

PATCH_PX = 16
SHAPE = (44, 40)


def write_networks(inputs: Path) -> None:
    """Write the two networks into *inputs*; their files differ each time, their outputs do not."""
    write_network(inputs / "pinn", 2, patch_px=PATCH_PX)
    write_network(inputs / "baseline", 1, seed=1, patch_px=PATCH_PX)


def words(inputs: Path, run_dir: Path) -> list[str]:
    """The command that compares what lies in *inputs*."""
    return [
        "compare",
        f"--pinn_dir={inputs / 'pinn'}",
        f"--baseline_dir={inputs / 'baseline'}",
        f"--test_data={inputs / 'scan.npz'}",
        f"--tike_recon_path={inputs / 'recon.npz'}",
        f"--output_dir={run_dir}",
        *["--n-test-groups=12", "--pinn-chunk-size=5", "--baseline-chunk-size=7"],
        *["--stitch-crop-size=12", "--no-save-npz", "--no-save-npz-aligned"],
        *TRUST,
    ]


def write(folder: Path) -> None:
    """Write a scan, a reconstruction and the finished comparison of two networks with it."""
    with tempfile.TemporaryDirectory() as scratch:
        inputs, run_dir = Path(scratch), Path(scratch) / "run"
        arrays = scan_arrays(24, patch_px=PATCH_PX, shape=SHAPE)
        np.savez_compressed(inputs / "scan.npz", allow_pickle=False, **arrays)
        recon = small_object(*SHAPE) * np.complex64(0.9 + 0.1j)
        np.savez_compressed(inputs / "recon.npz", allow_pickle=False, reconstructed_object=recon)
        write_networks(inputs)
        while (done := ptyrun(*words(inputs, run_dir), "--max-chunks=2")).returncode == 75:
            pass
        if done.returncode:
            raise RuntimeError(done.stderr)
        paths = RunPaths(run_dir)
        for of_this_machine in (paths.cache, paths.claims, paths.logs):
            shutil.rmtree(of_this_machine)
        folder.mkdir(parents=True)
        shutil.make_archive(str(folder / "run"), "zip", run_dir)
        for name in ("scan.npz", "recon.npz"):
            shutil.copy(inputs / name, folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
