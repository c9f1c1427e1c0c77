"""Does this ptyrun open what earlier ones left?

``v1`` and so on hold a small finished run of each released format, as it was written then.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from ptyrun.engine.manifest import Manifest
from ptyrun.paths import RunPaths
from ptyrun.results import ArmResult, Results
from tests.studies import ptyrun

# Standard figures that mean something else since results of this schema were written.
# Up to 3 they were of each arm's own pixels, of 2 px more at each side: all of them.
MEANT_OTHERWISE = {1: ("",)}
FORMATS = sorted(Path(__file__).parent.glob("v*"))


@pytest.fixture(params=FORMATS, ids=lambda folder: folder.name)
def kept(request: pytest.FixtureRequest) -> Path:
    """The folder of one format. Not to be changed."""
    folder = request.param
    assert isinstance(folder, Path)
    return folder


@pytest.fixture
def run(kept: Path, tmp_path: Path) -> RunPaths:
    """Its run, unpacked; its inputs lie elsewhere now, which is not part of what it is."""
    paths = RunPaths(tmp_path / "run")
    shutil.unpack_archive(kept / "run.zip", paths.root)
    manifest = Manifest.load(paths.manifest)
    moved = {"scan": str(kept / "scan.npz"), "arm.reconstruction": str(kept / "recon.npz")}
    replace(manifest, sources={**manifest.sources, **moved}).save(paths.manifest)
    return paths


def test_every_format_has_a_run() -> None:
    assert [folder.name for folder in FORMATS] == [f"v{n + 1}" for n in range(Manifest.SCHEMA)]


def test_a_run_of_any_format_says_that_it_is_complete(run: RunPaths) -> None:
    done = ptyrun("status", str(run.root), "--json")
    status = json.loads(done.stdout)
    assert (status["state"], status["finalized"]) == ("complete", True)
    assert status["chunks_committed"] == status["chunks_total"] > 4
    assert status["windows"] > 2


def test_a_run_of_any_format_is_whole(run: RunPaths) -> None:
    done = ptyrun("verify", str(run.root))
    assert done.returncode == 0, done.stdout


def test_a_run_of_any_format_is_finalized_again_to_the_same_figures(run: RunPaths) -> None:
    then = Results.load(run.results)
    changed = MEANT_OTHERWISE[json.loads(run.results.read_text())["schema"]]
    objects = {name: measured(run, name) for name in then.arms}
    compared = []
    done = ptyrun("finalize", str(run.root))
    assert done.returncode == 0, done.stderr
    now = Results.load(run.results)
    assert now.manifest_digest == then.manifest_digest
    for name, arm in then.arms.items():
        assert np.array_equal(measured(run, name), objects[name])
        before, after = figures(arm, changed), figures(now.arms[name], changed)
        if all(before.get(key) == pytest.approx(after.get(key), abs=0.05) for key in OFFSETS):
            assert {key: after[key] for key in before} == pytest.approx(before, rel=1e-5, abs=1e-7)
            compared.append(name)
    # Networks without training show nothing of the truth, and may be registered anywhere.
    assert "reconstruction" in compared
    assert json.loads(run.results.read_text())["schema"] == Results.SCHEMA


def measured(run: RunPaths, arm: str) -> Any:
    array = zarr.open_array(run.objects, path=f"{arm}/object", mode="r")
    return np.asarray(array[...])


OFFSETS = [f"upstream.registration_offset_{axis}.value" for axis in ("dy", "dx")]


def figures(arm: ArmResult, changed: tuple[str, ...]) -> dict[str, float]:
    """All that mean the same, but for the PSNR of equal images, which is the rounding of a CPU."""
    return {
        f"{kind}.{name}.{part}": value
        for kind, metrics in (("upstream", arm.metrics), ("standard", arm.standard))
        for name, metric in metrics.items()
        for part, value in vars(metric).items()
        if value is not None
        and not (name == "psnr" and value > 150)
        and not (kind == "standard" and f"{name}.{part}".startswith(changed))
    }


def test_a_run_of_any_format_can_be_reported_and_exported(run: RunPaths, tmp_path: Path) -> None:
    assert ptyrun("report", str(run.root)).returncode == 0
    done = ptyrun("export", str(run.root), f"--output={tmp_path / 'results.npz'}")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "results.npz", allow_pickle=False) as exported:
        assert "pinn_object" in exported
