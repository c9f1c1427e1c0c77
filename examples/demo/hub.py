"""Where does each file of the demo's study lie, and is it complete?

A step's manifest is written last, and names what the step was told, what it read and what it
wrote, by SHA-256. The step is complete as long as all of that still holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VIEW = "dense"
SPLITS = ("train", "test")
DEFAULT_ROOT = Path("demo/hub")
DEFAULT_DOSE = 100_000

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Hub:
    """The folder of one study, at one dose (photons per exposure)."""

    root: Path
    dose: int

    @property
    def scans(self) -> Path:
        """Folder of the simulated scans (phase C)."""
        return self.root / f"data/phase_c/dose_{self.dose}"

    def scan(self, split: str) -> Path:
        """One half of the scan."""
        return self.scans / f"patched_{split}.npz"

    @property
    def scan_manifest(self) -> Path:
        """What made the scans."""
        return self.scans / "run_manifest.json"

    @property
    def pinn(self) -> Path:
        """Folder of the gridsize-2 PINN (phase E)."""
        return self.root / f"data/phase_e/dose_{self.dose}/{VIEW}/gs2"

    @property
    def pinn_manifest(self) -> Path:
        """What made the PINN."""
        return self.pinn / "training_manifest.json"

    @property
    def baseline(self) -> Path:
        """Folder of the gridsize-1 Baseline (phase E)."""
        return self.root / f"data/phase_e/dose_{self.dose}/baseline/gs1"

    @property
    def baseline_manifest(self) -> Path:
        """What made the Baseline."""
        return self.baseline / "training_manifest.json"

    def reconstruction(self, split: str) -> Path:
        """File of the iterative reconstruction of one half (phase F)."""
        folder = self.root / f"data/phase_f/dose_{self.dose}/{VIEW}/{split}"
        return folder / "ptychi_reconstruction.npz"

    def reconstruction_manifest(self, split: str) -> Path:
        """What made the reconstruction."""
        return self.reconstruction(split).with_name("reconstruction_manifest.json")

    def log(self, step: str) -> Path:
        """What a step said."""
        return self.root / f"cli/{step}.log"

    def run(self, split: str) -> Path:
        """Folder of the comparison on one half."""
        return self.root / f"analysis/dose_{self.dose}/{VIEW}/{split}"


def read_arguments(description: str | None, *more: str) -> tuple[Hub, argparse.Namespace]:
    """Take the study's folder and dose from the command line; *more* are further positionals."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--hub", type=Path, default=DEFAULT_ROOT, help="folder of the study")
    parser.add_argument(
        "--dose", type=int, default=DEFAULT_DOSE, help="photons on the object per exposure"
    )
    for name in more:
        parser.add_argument(name)
    given = parser.parse_args()
    return Hub(given.hub, given.dose), given


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes *path*'s place once it is written whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"partial.*{path.suffix}"):
        left.unlink()
    partial = path.with_name(f"partial.{os.getpid()}{path.suffix}")
    yield partial
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an uncompressed NPZ, all or nothing."""
    with whole(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def write_manifest(
    path: Path,
    settings: Settings,
    *,
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    figures: Settings,
) -> None:
    """Declare a step complete; *figures* are what it measured."""
    document = {
        "settings": settings,
        "inputs": _digests(path.parent, inputs),
        "outputs": _digests(path.parent, outputs),
        "figures": figures,
    }
    with whole(path) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def is_complete(manifest: Path, settings: Settings) -> bool:
    """Whether a step was done with these settings, and nothing it read or wrote has changed."""
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
        files = {**document["inputs"], **document["outputs"]}
        return bool(document["settings"] == json.loads(json.dumps(settings))) and all(
            _sha256(manifest.parent / name) == digest for name, digest in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False  # absent, unreadable or half written: the step is done again


def _digests(folder: Path, paths: Sequence[Path]) -> dict[str, str]:
    return {Path(os.path.relpath(path, folder)).as_posix(): _sha256(path) for path in paths}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
