"""Is anything said of a home folder that nothing can be written to? Drawing does without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_where_no_home_can_be_written_to_drawing_says_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    env = {each: value for each, value in os.environ.items() if each != "MPLCONFIGDIR"}
    for each in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        env[each] = str(tmp_path / "file" / each)
    script = "import ptyrun.report, matplotlib; print(matplotlib.get_cachedir())"
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert "matplotlib-" in done.stdout, "it was given another folder"
    assert not done.stderr
