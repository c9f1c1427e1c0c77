"""Workers that share cores use fewer threads. Does any bit of a patch depend on how many?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ptyrun.backends.fixed_batch import n_threads
from tests.backends import keras_nets, torch_nets

PATCH_PX = 64
DIGESTS = """
import hashlib, sys
from pathlib import Path
from ptyrun.models.predictors import ModelRequest, open_predictor
from ptyrun.models.synthetic_groups import synthetic_groups

for backend, path in zip(("pytorch", "tf"), sys.argv[1:]):
    predictor = open_predictor(backend, ModelRequest(Path(path), 64, 2, 16, trusted=True))
    patches = predictor.predict(*synthetic_groups(16, 64, 2))
    print(backend, hashlib.sha256(patches.tobytes()).hexdigest())
import torch, tensorflow
print(torch.get_num_threads(), tensorflow.config.threading.get_intra_op_parallelism_threads())
"""


@pytest.mark.skipif(n_threads() < 2, reason="there is one core only")
def test_patches_have_the_same_bits_with_one_thread_and_with_two(tmp_path: Path) -> None:
    paths = [
        torch_nets.saved(torch_nets.Network(), tmp_path / "net.ts"),
        keras_nets.saved(keras_nets.network(patch_px=PATCH_PX), tmp_path / "net.keras"),
    ]
    said = []
    for threads in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS, *map(str, paths)],
            env={**os.environ, "OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        *digests, used = done.stdout.splitlines()
        assert used.split() == [threads, threads]
        said.append(digests)
    assert said[0] == said[1]


@pytest.mark.parametrize("wanted", ["0", "many", "", "1000", "1,2"])
def test_the_environment_can_only_lower_the_number_of_threads(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = n_threads()
    assert cores == len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert n_threads() == (1 if wanted in ("0", "1,2") else cores)
