"""A third party's package of predictors that misbehave, and a comparison that uses one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.patch_work import read_groups
from ptyrun.comparison.run import Run
from ptyrun.engine.manifest import Manifest
from ptyrun.paths import RunPaths
from tests.packages import lay_out
from tests.scans import write_scan
from tests.studies import Finished, ptyrun

# As pip installs a package: a module, and the metadata that names its entry point.
MODULE = '''
import json, os, signal, sys, time
import numpy as np
from ptyrun.predictors import ModelCard

class HostilePredictor:
    """Smooths the diffraction into a patch; does what its file says, where the test says."""

    def __init__(self, request):
        self.card = ModelCard(request.patch_px, None, False, "hostile")
        self.batch_items = request.batch_items
        self._does = json.loads(request.path.read_text())
        self._where = os.environ.get("HOSTILE_GROUP")
        with open(os.environ["HOSTILE_DIARY"], "a") as diary:
            diary.write(f"opened at {request.batch_items}\\n")
        self._exit_at("open")
        if self._does.get("opens_out_of_memory_above", 99) < self.batch_items:
            raise MemoryError("no room for the network")

    @classmethod
    def open(cls, request):
        return cls(request)

    def _exit_at(self, place):
        if self._does.get("exits_at") == place:
            sys.exit(self._does["exit_code"])

    def predict(self, diffraction, local_offsets_px):
        self._exit_at("predict")
        if self._does.get("out_of_memory_above", 99) < self.batch_items:
            raise MemoryError("no room for the batch")
        if self._where and (diffraction == np.load(self._where)).all(axis=(1, 2, 3)).any():
            self._at_that_group()
        time.sleep(self._does.get("batch_s", 0))
        field = np.fft.fftshift(np.fft.ifft2(diffraction.mean(axis=3)), axes=(1, 2))
        patches = (1 + field / np.abs(field).max(axis=(1, 2), keepdims=True)).astype(np.complex64)
        if self._does.get("rows_differ"):  # as kernels for the last rows of a matrix may
            patches += np.float32(1e-4) * np.arange(len(patches))[:, None, None]
        returns = self._does.get("returns")
        if returns == "one too few":
            return patches[:-1]
        if returns == "every other":
            patches[::2] = 0
            return patches
        if returns == "huge":
            return (patches * 1e37).astype(np.complex64)
        if returns == "the first":
            return np.repeat(patches[:1], len(patches), axis=0)
        if returns is not None:
            patches[...] = complex(returns)
        return patches

    def _at_that_group(self):
        if (how := self._does.get("dies")) == "leaves":
            os._exit(0)
        elif how:
            os.kill(os.getpid(), getattr(signal, how))
        once = self._does.get("fails_once")
        if self._does.get("fails") or (once and not os.path.exists(once)):
            if once:
                open(once, "w").close()
            raise RuntimeError("this group is too much")

    def close(self):
        self._exit_at("close")
'''
ENTRY_POINTS = "[ptyrun.predictors]\nhostile = hostile_predictor:HostilePredictor\n"
N_GROUPS, CHUNK_GROUPS, BATCH_GROUPS = 40, 4, 4
N_CHUNKS = N_GROUPS // CHUNK_GROUPS


def install(folder: Path) -> Path:
    """Lay the package out in *folder* as pip does."""
    return lay_out(folder, "hostile", ENTRY_POINTS, {"hostile_predictor": MODULE})


@dataclass(frozen=True)
class Victim:
    """One comparison with one arm, whose predictor does what `does` said last.

    It does it in a process of its own, as those of users do, or (`inline`, which is faster) in
    the session's.
    """

    site: Path
    folder: Path
    inline: bool = True

    @classmethod
    def in_folder(cls, site: Path, folder: Path, *, inline: bool = True, **does: object) -> Victim:
        """Write scan and model."""
        victim = cls(site, folder, inline)
        victim.model.mkdir(parents=True)
        card = {"schema": 1, "backend": "hostile", "file": "does.json", "gridsize": 2}
        (victim.model / "model.json").write_text(json.dumps(card))
        write_scan(folder / "scan.npz")
        victim.does(**does)
        return victim

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def does(self, **what: object) -> None:
        """Replace the model by one that does something else."""
        (self.model / "does.json").write_text(json.dumps(what))

    def words(self, command: str = "compare", *more: str, batch: int = BATCH_GROUPS) -> list[str]:
        """The comparison as a command line."""
        return [
            *[command, f"--pinn_dir={self.model}", f"--test_data={self.folder / 'scan.npz'}"],
            *[f"--output_dir={self.run}", "--no-vector-plots", f"--n-test-groups={N_GROUPS}"],
            *[f"--pinn-chunk-size={CHUNK_GROUPS}", f"--pinn-predict-batch-size={batch}", *more],
            # It keeps a diary beside its model, and looks up at which group it misbehaves.
            *(["--unconfined=pinn"] if command == "compare" else []),
        ]

    @property
    def environment(self) -> dict[str, str]:
        """What the package needs to be found and told."""
        chosen = {
            "HOSTILE_DIARY": str(self.folder / "diary.txt"),
            "PTYRUN_INLINE": str(int(self.inline)),
        }
        if (self.folder / "group.npy").exists():
            chosen["HOSTILE_GROUP"] = str(self.folder / "group.npy")
        return chosen

    @contextmanager
    def installed(self) -> Iterator[None]:
        """With the package on this process's path."""
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(self.site))
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield

    def does_it_at(self, chunk: int, *more: str, run: Path | None = None) -> None:
        """Let it misbehave when it meets the first group of *chunk*; plans the run."""
        with self.installed():
            planned = ptyrun(*self.words("plan", *more))
            assert planned.returncode == 0, planned.stderr
        paths = RunPaths(run or self.run)
        manifest = Manifest.load(paths.manifest)
        table = ArmIndex.read(paths, manifest.arm("pinn"))
        first = chunk * CHUNK_GROUPS
        given = read_groups(Run.of(paths.root, manifest).scan, table, range(first, first + 1))
        np.save(self.folder / "group.npy", given.diffraction[0])

    def ptyrun(self, *words: str) -> Finished:
        """Run the command line in this process."""
        with self.installed():
            return ptyrun(*words)

    def process(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own."""
        path = os.pathsep.join(filter(None, [str(self.site), os.environ.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-m", "ptyrun", *words],
            env={
                **os.environ,
                **self.environment,
                "PYTHONPATH": path,
                "CUDA_VISIBLE_DEVICES": "",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @property
    def diary(self) -> list[str]:
        """What the predictor wrote down."""
        return (self.folder / "diary.txt").read_text().splitlines()

    @property
    def status(self) -> dict[str, Any]:
        """``ptyrun status --json``."""
        document: dict[str, Any] = json.loads(ptyrun("status", str(self.run), "--json").stdout)
        return document

    @property
    def results(self) -> dict[str, Any]:
        """The arm's part of ``results.json``."""
        document = json.loads((self.run / "results.json").read_text())
        found: dict[str, Any] = document["arms"]["pinn"]
        return found

    @property
    def patches(self) -> np.ndarray:
        """What is committed; NaN where nothing is."""
        array = zarr.open_array(self.run / "arrays.zarr/pinn/patches", mode="r")
        return np.asarray(array[...])
