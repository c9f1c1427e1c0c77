"""Does a comparison that is killed at random end as one that was left alone?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.paced import Bench

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "loop" / "random_kills.py"


def random_kills(bench: Bench, *more: str) -> subprocess.CompletedProcess[str]:
    words = [
        *[f"--pinn_dir={bench.inputs / 'model'}", f"--test_data={bench.inputs / 'scan.npz'}"],
        *[f"--output_dir={bench.run}", "--n-test-groups=24", "--pinn-chunk-size=4"],
        *["--pinn-predict-batch-size=4", *more],
    ]
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        env=bench.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_kills_at_random_change_not_one_byte(bench: Bench) -> None:
    bench.pace = {"batch_s": 0.4}
    done = random_kills(bench, "--kill-after", "1", "20", "--seed", "164")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "KILLED" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("equal")
    results = bench.run.with_name("run.uninterrupted") / "results.json"
    document = json.loads(results.read_text())
    document["arms"]["pinn"]["metrics"]["mae"]["amplitude"] += 1e-9
    results.write_text(json.dumps(document))
    code = f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import random_kills as r\n"
    code += "from pathlib import Path; print(*r.differences(*map(Path, sys.argv[1:])))"
    told = [sys.executable, "-c", code, str(bench.run), str(results.parent)]
    assert subprocess.check_output(told, text=True).split() == ["results.json"]
