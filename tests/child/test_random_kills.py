"""Does it matter to a run when the process of its predictor is killed again and again?"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from ptyrun.child.process import MARK
from tests.hostile import Victim, install

CHUNKS = ("--pinn-chunk-size=1",)


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_a_predictor_killed_at_random_leaves_no_trace_in_the_patches(
    kills: int, tmp_path: Path
) -> None:
    site = install(tmp_path / "site")
    good = Victim.in_folder(site, tmp_path / "good", inline=False)
    assert good.ptyrun(*good.words("compare", *CHUNKS, batch=1)).returncode == 0
    victim = Victim.in_folder(site, tmp_path / "victim", inline=False, batch_s=0.2)
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    session = subprocess.Popen(
        [sys.executable, "-m", "ptyrun", *victim.words("compare", *CHUNKS, batch=1)],
        env={**os.environ, **victim.environment, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    dice = random.Random(kills)
    killed = 0
    while killed < kills and session.poll() is None:
        if opened(victim) > killed:
            time.sleep(dice.uniform(0, 0.5))
            killed += kill_predictor(session.pid)
        time.sleep(0.02)
    _, said = session.communicate(timeout=600)
    assert session.returncode == 0, said
    assert killed >= min(kills, 20)
    assert victim.status["troubles"] == []
    assert np.array_equal(victim.patches, good.patches)


def opened(victim: Victim) -> int:
    """How many processes have loaded the model."""
    with suppress(FileNotFoundError):
        return len(victim.diary)
    return 0


def kill_predictor(session: int) -> int:
    """Kill the process of a session's predictor, if there is one."""
    with suppress(psutil.Error):
        for child in psutil.Process(session).children():
            if MARK in child.environ():
                child.kill()
                return 1
    return 0
