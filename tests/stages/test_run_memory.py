"""Does a session that computes hold anything of groups that it does not work on?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import python_path

FEW, MANY = 40_000, 240_000  # more than a block of the tables
MOST_BYTES_EACH = 4  # positions have 16, frames 8
LOOK = """
import json, sys, tracemalloc
from pathlib import Path
from benchmarks import scale, stated
from ptyrun.config import SessionOptions
from ptyrun.stages.run import run

folder, sizes = Path(sys.argv[1]), [int(each) for each in sys.argv[2:]]
stated.offer(folder / "site")
found = []
for at, n in enumerate([sizes[0], *sizes]):  # the first one imports
    here = folder / str(at)
    here.mkdir()
    stated.write_scan(here / "scan.npz", n, 4, object_px=64)
    stated.write_model(here / "model", item_s=0.0, gridsize=1)
    scale.stages(here, 4, 256)["plan"]()
    tracemalloc.start()
    run(here / "run", SessionOptions(max_chunks=2))
    found.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
print(json.dumps(found[1:]))
"""


def test_what_a_session_holds_does_not_grow_with_the_groups(tmp_path: Path) -> None:
    words = [sys.executable, "-c", LOOK, str(tmp_path), str(FEW), str(MANY)]
    environment = {**os.environ, "PYTHONPATH": python_path(), "PTYRUN_INLINE": "0"}
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    few, many = json.loads(done.stdout.splitlines()[-1])
    assert many - few < MOST_BYTES_EACH * (MANY - FEW)
