"""Does pty-chi, where it is installed, do what an algorithm of a study must?"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest

from ptyrun.ptycho.reconstruction.reconstructor import ReconstructionRequest, Reconstructor, load
from ptyrun.testing import ReconstructorContract
from tests.ptycho.reconstruction.test_epie import error_of, request_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ptychi") is None, reason="pty-chi is not installed"),
]


def ptychi() -> type[Reconstructor]:
    return load("ptychi")


class TestContract(ReconstructorContract):
    tolerance = 1e-3

    @property
    def reconstructor(self) -> type[Reconstructor]:  # type: ignore[override]
        return ptychi()

    @pytest.fixture
    def request_made(self) -> ReconstructionRequest:
        return request_of(n=40, epochs=3, side_px=16)


def test_it_finds_a_known_object() -> None:
    request = request_of(epochs=40)
    at_work = ptychi().open(request)
    while at_work.epochs_done < request.epochs:
        at_work.advance()
    found = at_work.found()
    at_work.close()
    assert error_of(found) < 0.2
    assert at_work.algorithm.startswith("LSQML (pty-chi ")


TAKE_AN_EPOCH = textwrap.dedent("""
    import re, sys
    from pathlib import Path
    import numpy as np
    from ptyrun.ptycho.reconstruction.reconstructor import ReconstructionRequest, load

    class Frames:
        shape = int(sys.argv[1]), 64, 64
        def __len__(self):
            return self.shape[0]
        def __getitem__(self, numbers):
            ones = np.ones((len(numbers), 64, 64), np.float32)
            return ones + (numbers[:, None, None] % 3).astype(np.float32)

    positions = np.random.default_rng(1).uniform(40, 90, (len(Frames()), 2))
    probe = np.ones((64, 64), np.complex64)
    at_work = load("ptychi").open(ReconstructionRequest(Frames(), positions, probe, (130, 130), 1))
    at_work.advance()
    said = Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\\s+(\\d+) kB", said)[1]) // 1024)
""")


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_frames_are_read_when_their_turn_comes() -> None:
    def peak_mib(n_frames: int) -> int:
        words = [sys.executable, "-c", TAKE_AN_EPOCH, str(n_frames)]
        said = subprocess.run(words, check=True, capture_output=True, text=True)
        return int(said.stdout.split()[-1])

    small, large = peak_mib(320), peak_mib(6400)  # 5 and 100 MiB
    print(f"100 MiB of frames: {large} MiB, {small} MiB with 5 MiB of them")
    assert large < small + 50
