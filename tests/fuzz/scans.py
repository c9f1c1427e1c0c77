"""What good files are spoilt? A small scan, a reconstruction, a predictor without framework."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.packages import lay_out

PATCH_PX = 16
SHAPE = (44, 40)
MODULE = '''
import numpy as np
from ptyrun.predictors import ModelCard

class Smoothing:
    """Smooths the diffraction into a patch."""

    def __init__(self, request):
        self.card = ModelCard(request.patch_px, None, False, "smoothing")
        self.batch_items = request.batch_items

    @classmethod
    def open(cls, request):
        return cls(request)

    def predict(self, diffraction, local_offsets_px):
        field = np.fft.fftshift(np.fft.ifft2(diffraction.mean(axis=3)), axes=(1, 2))
        return (1 + field / np.abs(field).max(axis=(1, 2), keepdims=True)).astype(np.complex64)

    def close(self):
        pass
'''


def install(site: Path) -> None:
    """Lay the predictor's package out as pip does."""
    entry_points = "[ptyrun.predictors]\nsmoothing = fuzz_predictor:Smoothing\n"
    lay_out(site, "fuzz", entry_points, {"fuzz_predictor": MODULE})


def arrays(n_positions: int = 24) -> dict[str, Any]:
    """The arrays of a scan, of a smooth object."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = ((0.8 + 0.2 * np.cos(x / 4)) * np.exp(0.6j * np.sin(y / 5))).astype(np.complex64)
    axis = np.arange(PATCH_PX) - PATCH_PX / 2
    probe = np.exp(-(axis[:, None] ** 2 + axis**2) / 18).astype(np.complex64)
    half = PATCH_PX // 2
    rng = np.random.default_rng(7)
    centres = rng.uniform(half, np.array(SHAPE) - half, (n_positions, 2)).round()
    frames = [
        np.abs(np.fft.fftshift(np.fft.fft2(_patch(image, centre) * probe, norm="ortho")))
        for centre in centres.astype(int)
    ]
    return {
        "diffraction": np.array(frames, np.float32),
        "probeGuess": probe,
        "objectGuess": image,
        "xcoords": centres[:, 1],
        "ycoords": centres[:, 0],
    }


def _patch(image: np.ndarray, centre: np.ndarray) -> np.ndarray:
    half = PATCH_PX // 2
    return image[centre[0] - half : centre[0] + half, centre[1] - half : centre[1] + half]


def write_inputs(folder: Path) -> None:
    """Write scan, reconstruction and two models."""
    folder.mkdir(parents=True, exist_ok=True)
    known = arrays()
    np.savez(folder / "scan.npz", allow_pickle=False, **known)
    image = known["objectGuess"] * np.complex64(0.9 + 0.1j)
    np.savez(folder / "recon.npz", allow_pickle=False, reconstructed_object=image)
    for name, gridsize in (("pinn", 2), ("baseline", 1)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "weights.bin").write_bytes(name.encode())
        card = {"schema": 1, "backend": "smoothing", "file": "weights.bin", "gridsize": gridsize}
        (folder / name / "model.json").write_text(json.dumps(card))


def comparison(inputs: Path, run_dir: Path, command: str = "compare") -> list[str]:
    """The command that compares them."""
    return [
        command,
        f"--pinn_dir={inputs / 'pinn'}",
        f"--baseline_dir={inputs / 'baseline'}",
        f"--test_data={inputs / 'scan.npz'}",
        f"--tike_recon_path={inputs / 'recon.npz'}",
        f"--output_dir={run_dir}",
        *[
            "--n-test-groups=12",
            "--stitch-crop-size=12",
            "--pinn-chunk-size=3",
            "--baseline-chunk-size=4",
            "--quiet",
        ],
        *["--pinn-predict-batch-size=3", "--baseline-predict-batch-size=4"],
    ]
