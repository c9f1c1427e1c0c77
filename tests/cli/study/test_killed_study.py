"""Does a whole study survive a kill in each of its stages, and once more from nothing?"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ptyrun.errors import ExitCode
from ptyrun.host.children import ptyrun_words
from ptyrun.study.asking import study_asked
from ptyrun.study.plan import graph
from tests.studies import content
from tests.study.comparisons import write_base

PATIENCE_S = 300
WINDOW = "60s"
STUDY = """
name = "tiny"
hub = "hub"
base-npz = "base.npz"
dose = [1000]
view = ["dense"]
splits = ["test"]
upto = "comparisons"
n-groups = 8
neighbor-count = 5
debug-groups = 16
chunk-groups = 8
batch-groups = 4

[training]
pinn-epochs = 2
baseline-epochs = 2
pinn-set = ["stages=1", "width=2", "batch_groups=4"]
baseline-set = ["fine_width=2", "coarse_width=4", "batch_frames=4"]

[reconstruction]
epochs = 2
"""


def write_study(folder: Path) -> Path:
    folder.mkdir()
    write_base(folder / "base.npz")
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"


def words(config: Path, *more: str) -> tuple[str, ...]:
    return ptyrun_words("study", "run", "--config", str(config), "--window", WINDOW, *more)


def repeated(config: Path, *first: str) -> None:
    """Windows until it is complete; only the first one is told *first*."""
    for more in (first, *[()] * 200):
        done = subprocess.run(
            words(config, *more), capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert done.returncode in (0, ExitCode.INCOMPLETE), done.stdout + done.stderr
        if done.returncode == 0:
            assert "10 of 10 checks passed" in done.stdout
            return
    pytest.fail("200 windows did not do")


def killed_in_each_stage(config: Path, rng: random.Random) -> set[str]:
    """Windows, each of which dies a moment after it began a stage that none has died in yet."""
    killed: set[str] = set()
    for _ in range(400):
        with subprocess.Popen(
            words(config), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as session:
            assert session.stderr is not None
            for line in session.stderr:
                begun = re.fullmatch(r"(\S+): begun.*\n", line)
                if begun is not None and begun[1] not in killed:
                    killed.add(begun[1])
                    time.sleep(rng.uniform(0.1, 1.5))
                    os.kill(session.pid, signal.SIGKILL)
            said = session.stdout.read() if session.stdout else ""
        if session.returncode == 0:
            assert "10 of 10 checks passed" in said
            return killed
        assert session.returncode in (-signal.SIGKILL, ExitCode.INCOMPLETE)
    pytest.fail("400 windows did not do")


def result(hub: Path) -> dict[str, Any]:
    """What equal studies share: data, networks, reconstructions, runs, summaries; no times."""
    found: dict[str, Any] = {}
    for run in sorted(hub.glob("analysis/dose_*/dense/*")):
        found[run.relative_to(hub).as_posix()] = _less_places(content(run), hub)
    for path in sorted((hub / "data").rglob("*")):
        if path.suffix in (".npz", ".keras", ".pt2", ".csv"):
            found[path.relative_to(hub).as_posix()] = path.read_bytes()
    for name in ("study_means.csv", "aggregate_report.md", "metrics_delta_highlights.txt"):
        found[name] = (hub / "analysis" / name).read_text()
    found["manifest"] = json.loads(
        (hub / "analysis/comparison_manifest.json").read_text().replace(str(hub), "HUB")
    )
    return found


def _less_places(found: Any, hub: Path) -> Any:
    return json.loads(json.dumps(found).replace(str(hub), "HUB"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_study_with_a_kill_in_each_stage_and_once_more_after_clobber(
    tmp_path: Path,
) -> None:
    calm = write_study(tmp_path / "calm")
    repeated(calm)
    undisturbed = result(calm.parent / "hub")
    config = write_study(tmp_path / "study")
    killed = killed_in_each_stage(config, random.Random(14))
    assert killed == {stage.key for stage in graph(study_asked({}, config)).stages}
    hub = config.parent / "hub"
    assert result(hub) == undisturbed
    repeated(config, "--clobber")
    assert result(hub) == undisturbed
