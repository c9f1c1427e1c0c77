"""What is said of sessions in the foreground, which `ptyrun stop` knows nothing of?"""

from __future__ import annotations

import pytest

from ptyrun.engine.presence import process_at_work
from ptyrun.paths import RunPaths
from tests.paced import Bench, until


@pytest.mark.slow
def test_who_works_in_the_foreground_is_named_with_what_ends_it(bench: Bench) -> None:
    bench.pace = {"batch_s": 0.1}
    bench.close_gate()
    loop = bench.begin("run", "--window", "100s", "--until-complete")
    until(bench.commits)
    for command in ("wait", "stop", "logs"):
        said = bench.do(command).stderr
        assert f"process {loop.pid} works on it in the foreground" in said
        assert f"`kill {loop.pid}`" in said, "which ends the loop, and not one of its windows"
    busy = bench.do("verify", "--repair").stderr
    assert f"Ctrl-C in its terminal or `kill {loop.pid}`" in busy
    assert "ptyrun stop" not in busy
    loop.terminate()
    assert loop.wait(60) == 75
    bench.start()
    until(lambda: process_at_work(RunPaths(bench.run)))
    assert f"`ptyrun stop {bench.run}`" in bench.do("verify", "--repair").stderr
    assert bench.do("stop").returncode == 0
