"""Does pty-chi, where it is installed, do what an algorithm of a study must?"""

from __future__ import annotations

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
