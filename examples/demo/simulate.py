"""Simulate a scan and write it as the study's phase C: raw, canonical, patched, split by y."""

from __future__ import annotations

import json

import numpy as np
from experiment import Exposures, cut_patches, expose
from hub import SPLITS, Hub, read_arguments, write_manifest, write_npz
from numpy.typing import NDArray
from recipes import Scan

Arrays = dict[str, NDArray[np.generic]]
STAGES = ("simulated_raw", "canonical", "patched", "patched_train", "patched_test")
PER_FRAME = ("diffraction", "xcoords", "ycoords", "Y")


def simulate(hub: Hub, scan: Scan) -> None:
    """Write the five files of phase C and their manifest."""
    exposures = expose(scan)
    raw = raw_arrays(exposures)
    canonical = canonical_arrays(exposures)
    patched = {**canonical, "Y": truth_patches(exposures)}
    halves = {f"patched_{split}": half(patched, split) for split in SPLITS}
    stages = {"simulated_raw": raw, "canonical": canonical, "patched": patched, **halves}
    for name, arrays in stages.items():
        write_npz(hub.scans / f"{name}.npz", arrays)
    detected = exposures.counts.sum(axis=(1, 2), dtype=np.int64)
    write_manifest(
        hub.scan_manifest,
        scan.settings(),
        inputs=[],
        outputs=[hub.scans / f"{name}.npz" for name in STAGES],
        figures={
            "frames": len(detected),
            "frames_train": len(halves["patched_train"]["xcoords"]),
            "frames_test": len(halves["patched_test"]["xcoords"]),
            "object_px": list(exposures.object.shape),
            "mean_photons_detected": float(detected.mean()),
        },
    )


def raw_arrays(exposures: Exposures) -> Arrays:
    """As a legacy detector file has it: photon counts ``diff3d`` (N, N, n) uint16."""
    return {
        "diff3d": np.ascontiguousarray(exposures.counts.transpose(1, 2, 0)),
        **_geometry(exposures),
        "probeGuess": exposures.probe.astype(np.complex64),
    }


def canonical_arrays(exposures: Exposures) -> Arrays:
    """As the contract has it: ``diffraction`` (n, N, N) float32 amplitude, mean energy (N/2)^2.

    The probe is scaled alike, so that |FFT(probe * patch)| (orthonormal) is the amplitude.
    """
    counts = exposures.counts.astype(np.float64)
    patch_px = counts.shape[-1]
    scale = float(np.sqrt((patch_px / 2) ** 2 / counts.sum(axis=(1, 2)).mean()))
    metadata = {
        "transformations": [
            {"tool": "transpose_rename_convert", "from": "diff3d", "to": "diffraction"},
            {"tool": "square_root_and_normalise", "amplitude_per_root_photon": scale},
        ],
        "simulation_type": "thin_object",
        "nphotons": float(np.sum(np.abs(exposures.probe) ** 2)),
    }
    return {
        "diffraction": (np.sqrt(counts) * scale).astype(np.float32),
        **_geometry(exposures),
        "probeGuess": (exposures.probe * scale).astype(np.complex64),
        "_metadata": np.array(json.dumps(metadata)),
    }


def truth_patches(exposures: Exposures) -> NDArray[np.complex64]:
    """Ground truth of each exposure: (n, N, N)."""
    patch_px = exposures.counts.shape[-1]
    patches = cut_patches(exposures.object, exposures.positions_px, patch_px)
    return patches.astype(np.complex64)


def half(arrays: Arrays, split: str) -> Arrays:
    """Frames of the split: train below the middle of the range of y, test from there on."""
    y = arrays["ycoords"].astype(np.float64)
    low = y < (y.min() + y.max()) / 2
    chosen = low if split == "train" else ~low
    return {
        name: values[chosen] if name in PER_FRAME else values for name, values in arrays.items()
    }


def _geometry(exposures: Exposures) -> Arrays:
    y, x = exposures.positions_px.T
    return {
        "xcoords": x.copy(),
        "ycoords": y.copy(),
        "objectGuess": exposures.object.astype(np.complex64),
    }


if __name__ == "__main__":
    study, _ = read_arguments(__doc__)
    simulate(study, Scan(photons=study.dose))
