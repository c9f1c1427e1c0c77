"""One small study for tests: a scan, two networks and a reconstruction, and how to compare them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ptyrun.config import ArmConfig, ArmKind, CompareConfig, Presentation, Selection, SessionOptions
from tests.commands import Finished as Finished
from tests.commands import ptyrun as ptyrun
from tests.scans import write_network, write_reconstruction, write_scan

WHEN = ("_s", "_at")
# The networks are TorchScript, which nothing but the user's word lets run.
TRUSTED = SessionOptions(trusted_arms=("pinn", "baseline"))
TRUST = ("--trust-model=pinn", "--trust-model=baseline")


@dataclass(frozen=True)
class Study:
    """Inputs of one comparison."""

    scan: Path
    pinn: Path
    baseline: Path
    reconstruction: Path

    @classmethod
    def write(cls, folder: Path) -> Study:
        """Make all inputs in *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(
            scan=write_scan(folder / "scan.npz"),
            pinn=write_network(folder / "pinn", gridsize=2),
            baseline=write_network(folder / "baseline", gridsize=1, seed=1),
            reconstruction=write_reconstruction(folder / "recon.npz"),
        )

    def config(self, run_dir: Path, chunk_groups: int = 7, batch_groups: int = 4) -> CompareConfig:
        """A comparison of all three arms."""
        predictor = ArmConfig(
            "pinn", self.pinn, "PtychoPINN", gridsize=2,
            chunk_groups=chunk_groups, batch_groups=batch_groups, trusted=True,
        )  # fmt: skip
        return CompareConfig(
            scan=self.scan,
            output_dir=run_dir,
            arms=(
                predictor,
                replace(
                    predictor, name="baseline", path=self.baseline, label="Baseline", gridsize=1
                ),
                ArmConfig("reconstruction", self.reconstruction, "", ArmKind.RECONSTRUCTION),
            ),
            selection=Selection(n_groups=40),
            presentation=Presentation(vector_plots=False),  # they take a second each
        )

    def words(self, run_dir: Path, *more: str, chunk: str = "7") -> list[str]:
        """The same comparison as a command line."""
        return [
            "compare",
            f"--pinn_dir={self.pinn}",
            f"--baseline_dir={self.baseline}",
            f"--test_data={self.scan}",
            f"--output_dir={run_dir}",
            f"--tike_recon_path={self.reconstruction}",
            "--n-test-groups=40",
            "--no-vector-plots",
            f"--pinn-chunk-size={chunk}",
            f"--baseline-chunk-size={chunk}",
            "--pinn-predict-batch-size=4",
            "--baseline-predict-batch-size=4",
            *TRUST,
            *more,
        ]


def content(run_dir: Path) -> dict[str, Any]:
    """What two equal runs must share: decoded arrays, results and tables, without times."""
    found: dict[str, Any] = {}
    for store in ("arrays.zarr", "objects.zarr"):
        for folder in sorted((run_dir / store).rglob("zarr.json")):
            array = zarr.open(folder.parent, mode="r")
            if isinstance(array, zarr.Array):
                values = np.ascontiguousarray(array[...])
                name = folder.parent.relative_to(run_dir).as_posix()
                found[name] = (values.shape, hashlib.sha256(values.tobytes()).hexdigest())
    found["results.json"] = _timeless(json.loads((run_dir / "results.json").read_text()))
    for table in sorted(run_dir.glob("*.csv")):
        lines = table.read_text().splitlines()
        found[table.name] = [line for line in lines if "computation_time_s" not in line]
    return found


def _timeless(document: Any) -> Any:
    if isinstance(document, dict):
        return {
            key: _timeless(value)
            for key, value in document.items()
            if not key.endswith(WHEN) and "_time" not in key
        }
    return [_timeless(value) for value in document] if isinstance(document, list) else document
