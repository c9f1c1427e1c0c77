"""Plans that no single window holds: cut at each of their steps, they stand after a few windows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ptyrun.engine.manifest import Manifest
from ptyrun.paths import RunPaths
from tests.scans import scan_arrays, write_reconstruction

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the timer is Linux's")

# Each step that is named takes for ever when it is first done, and long enough to be kept then.
SLOW = """
import sys, time
from pathlib import Path
from ptyrun.cli.main import main
from ptyrun.comparison import fingerprints, group_tables, inputs
from ptyrun.host import deadline
from ptyrun.ptycho.readers import npy_cache
from ptyrun.ptycho.readers.scan import Scan

BEGUN, DONE, FOR_EVER = Path({begun!r}), Path({done!r}), {for_ever}


def slowly(owner, name, step, is_done=lambda *_: False):
    do = getattr(owner, name)

    def slow(*given, **more):
        if is_done(*given):
            return do(*given, **more)
        if not (BEGUN / step).exists() or step in FOR_EVER:
            (BEGUN / step).touch()
            time.sleep(600)
        time.sleep(0.6)
        with DONE.open("a") as file:
            file.write(step + "\\n")
        return do(*given, **more)

    setattr(owner, name, slow)


fingerprints.STEP_BYTES = 1 << 10
is_unpacked = lambda cache, *_: any(cache.folder.glob("*.npy"))
slowly(npy_cache.NpyCache, "publish", "unpack", is_unpacked)
slowly(fingerprints, "_sha256", "digest")
slowly(Scan, "_blocks", "look")
slowly(group_tables, "planned_reference", "draw")
slowly(inputs, "require_whole_models", "models")
slowly(inputs, "doubts", "doubts")
main()
"""
STEPS = ("unpack", "digest", "models", "look", "draw", "doubts")


@dataclass(frozen=True)
class Slow:
    """A comparison whose plan takes long, and a window that holds its start and a little more."""

    folder: Path
    window_s: float
    digest: str

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def window(self, window_s: float, for_ever: tuple[str, ...] = ()) -> tuple[int, str]:
        begun = self.folder / "begun"
        begun.mkdir(exist_ok=True)
        done = str(self.folder / "done")
        program = SLOW.format(begun=str(begun), done=done, for_ever=repr(for_ever))
        words = [*compare(self.folder), "--window", f"{window_s:g}s"]
        return process([sys.executable, "-c", program, *words], self.folder)

    def status(self) -> tuple[int, str]:
        words = [sys.executable, "-m", "ptyrun", "status", str(self.run)]
        return process(words, self.folder)


def process(words: list[str], folder: Path) -> tuple[int, str]:
    runtime = folder / "runtime"
    runtime.mkdir(exist_ok=True)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def compare(folder: Path, run: str = "run") -> list[str]:
    given = [f"--test_data={folder / 'scan.npz'}", f"--tike_recon_path={folder / 'recon.npz'}"]
    return ["compare", *given, f"--output_dir={folder / run}"]


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    np.savez_compressed(tmp_path / "scan.npz", **scan_arrays())
    write_reconstruction(tmp_path / "recon.npz")
    words = compare(tmp_path, "golden")
    began_s = time.monotonic()
    code, said = process([sys.executable, "-m", "ptyrun", "plan", *words[1:]], tmp_path)
    assert code == 0, said
    window_s = 3 + 2 * (time.monotonic() - began_s)
    golden = Manifest.load(RunPaths(tmp_path / "golden").manifest)
    return Slow(tmp_path, window_s, golden.digest)


def test_a_plan_that_is_cut_at_each_step_stands_after_some_windows_and_does_none_twice(
    slow: Slow,
) -> None:
    paths = RunPaths(slow.run)
    window_s, windows = slow.window_s, 0
    while not paths.manifest.exists():
        windows += 1
        code, said = slow.window(window_s)
        assert code in (0, 75) or "use --window" in said, said
        window_s *= 1 if code in (0, 75) else 2  # as a machine this busy is told
        assert windows < 40
    assert windows > len(STEPS), "several steps were cut by one window"
    assert Manifest.load(paths.manifest).digest == slow.digest
    assert not paths.planning.exists()
    done = (slow.folder / "done").read_text().split()
    assert sorted(done) == sorted([*STEPS, "digest"])  # of the scan, of the reconstruction


def test_a_window_that_is_known_to_be_too_short_for_planning_is_refused_and_status_says_so(
    slow: Slow,
) -> None:
    code, _ = slow.status()
    assert code == 2
    for _ in range(2):
        code, said = slow.window(slow.window_s, for_ever=("unpack",))
        assert code == 75, said
    before = set(slow.run.rglob("*"))
    began_s = time.monotonic()
    words = [*compare(slow.folder), "--window", f"{slow.window_s:g}s"]
    code, said = process([sys.executable, "-m", "ptyrun", *words], slow.folder)
    assert (code, time.monotonic() - began_s < slow.window_s) == (1, True), said
    advised = re.search(r"use --window (\d+)s or more; what is done", said)
    assert advised, said
    assert int(advised[1]) > slow.window_s
    assert set(slow.run.rglob("*")) - before == {RunPaths(slow.run).refused}
    code, said = slow.status()
    assert code == 2
    assert f"--window {advised[1]}s" in said
    assert "open the scan" in said
    words[-1] = f"{10 * int(advised[1])}s"
    code, said = process([sys.executable, "-m", "ptyrun", *words], slow.folder)
    assert code == 0, said
    code, said = slow.status()
    assert (code, "--window" in said) == (0, False)


def test_what_was_kept_of_another_scan_is_not_used(slow: Slow) -> None:
    while "draw" not in {path.name for path in (slow.folder / "begun").glob("*")}:
        slow.window(slow.window_s)
    kept = sorted(path.name.split(".")[0] for path in RunPaths(slow.run).planning.glob("*.npz"))
    assert kept == ["check=models", "look=at=all=frames"]
    np.savez_compressed(slow.folder / "scan.npz", **scan_arrays(seed=8))
    shutil.rmtree(slow.folder / "golden")
    digests = []
    for run in ("golden", "run"):
        words = ["plan", *compare(slow.folder, run)[1:]]
        assert process([sys.executable, "-m", "ptyrun", *words], slow.folder)[0] == 0
        digests.append(Manifest.load(RunPaths(slow.folder / run).manifest).digest)
    assert digests[0] == digests[1] != slow.digest
