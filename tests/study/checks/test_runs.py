"""Is damage within a comparison of ptyrun's found by the hub's verification?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ptyrun.host import checksums
from ptyrun.study.checks.runs import run_faults
from ptyrun.study.files import HubFiles

RUN = "analysis/dose_1000/dense/train"


def found(hub: Path) -> dict[str, str]:
    files = HubFiles.of(hub)
    return dict(run_faults(files, tuple(each.name for each in files.all())))


def test_every_file_that_a_comparison_vouches_for_is_read(tmp_path: Path) -> None:
    run = tmp_path / RUN
    run.mkdir(parents=True)
    np.save(run / "curves.npy", np.arange(9.0))
    (run / "results.json").write_text("{}")
    checksums.write(run, [run / "curves.npy", run / "results.json"])
    assert found(tmp_path) == {}
    data = bytearray((run / "curves.npy").read_bytes())
    data[-1] ^= 1
    (run / "curves.npy").write_bytes(data)
    assert [*found(tmp_path)] == [f"{RUN}/curves.npy"]
    (run / "results.json").unlink()
    assert [*found(tmp_path)] == [f"{RUN}/curves.npy", f"{RUN}/results.json"]
    (run / checksums.NAME).write_text("nothing\n")
    assert [*found(tmp_path)] == [f"{RUN}/{checksums.NAME}"]
