"""Do the six commands of the runbook do what they say, one after the other?"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from ptyrun.cli.study.run import command as run_command
from ptyrun.host.children import ptyrun_words
from tests.study.comparisons import TRUST, write_tiny_study

RUNBOOK = Path(__file__).parents[2] / "docs/runbook.md"
PATIENCE_S = 300
N_STEPS = 6


def commands() -> list[list[str]]:
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```", RUNBOOK.read_text(), re.DOTALL | re.MULTILINE)
    return [shlex.split(block) for block in blocks]


def test_each_step_is_one_command() -> None:
    assert len(commands()) == N_STEPS
    assert all(words[:2] == ["ptyrun", "study"] for words in commands())


def test_every_word_of_a_step_is_known() -> None:
    for words in commands():
        if words[2] == "run":
            run_command.make_context("run", [*words[3:], *TRUST])


@pytest.mark.slow
def test_the_six_steps_in_order_on_a_tiny_hub(tmp_path: Path) -> None:
    write_tiny_study(tmp_path, doses=(1000,))
    hub, said = tmp_path / "hub", []
    for words in commands():
        trust = TRUST if words[2] == "run" and "--post-verify-only" not in words else ()
        done = subprocess.run(
            ptyrun_words(*words[1:], *trust),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=3 * PATIENCE_S,
        )
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
        said.append(done.stdout)
        if words[-1] == "compare-debug":
            assert len([*hub.glob("analysis/dose_1000/dense/*_debug_v4/gate.json")]) == 2
            assert not hub.joinpath("analysis/dose_1000/dense/test").exists()
        if words[-1] == "compare":
            assert len([*hub.glob("analysis/dose_1000/dense/t*/report/index.html")]) == 4
    assert [*hub.glob("archive/*-clobber-*/analysis/dose_1000/dense/test/ledger")]
    assert "10 of 10 checks passed" in said[-1]
