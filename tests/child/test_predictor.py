"""What can a predictor do to a session, from the process that it lives in?"""

from __future__ import annotations

import os
import platform
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

import ptyrun
from ptyrun.child.arrays import Layout
from ptyrun.child.inline import is_inline
from ptyrun.child.predictor import Hosted, HostedPredictor, Waits, open_hosted
from ptyrun.child.predictor_process import Patience
from ptyrun.child.process import MARK
from ptyrun.errors import CutOffError, PredictionError, PredictorDiedError
from ptyrun.host.confinement import abi
from ptyrun.host.memory import available_bytes
from ptyrun.models.halving import HalvingPredictor
from ptyrun.models.predictors import ModelRequest, PredictorOutOfMemoryError
from tests import deeds, leftovers
from tests.paced import until

N, B = 8, 2
SHORT = Patience(batch_s=1.0, batches=1.0)

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="not Linux")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    site = deeds.install(tmp_path_factory.mktemp("site"))
    with deeds.installed(site):
        yield site


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def hosted(tmp_path: Path, patience: Patience = SHORT, **told: object) -> Hosted:
    (tmp_path / "model").mkdir()
    model = deeds.write_model(tmp_path / "model/model.json", **told)
    return Hosted("harmful", ModelRequest(model, N, 1, B), "digest", patience=patience)


@pytest.fixture
def host(site: Path, tmp_path: Path) -> Iterator[Hosted]:
    found = hosted(tmp_path)
    yield found
    found.end()


def batch(code: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    diffraction = np.random.default_rng(code).random((B, N, N, 1), np.float32) + 20
    diffraction[0, 0, 0, 0] = code
    return diffraction, np.ones((B, 1, 2, 1), np.float32)


def expected(code: int) -> NDArray[np.complex64]:
    return (batch(code)[0][..., 0] + 2j).astype(np.complex64)


def marked() -> list[int]:
    """Processes of predictors that these tests started, and that live."""
    ours = os.environ[leftovers.MARK]
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            told = process.environ()
            is_ours = MARK in told and told.get(leftovers.MARK) == ours
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def opened(host: Hosted) -> HalvingPredictor:
    return open_hosted(host)


def test_whatever_ends_its_process_the_next_batch_has_a_new_one(host: Hosted) -> None:
    predictor = opened(host)
    for code, said, by_chance in (
        (deeds.SEGFAULT, "SIGSEGV", False),
        (deeds.ABORT, "SIGABRT", False),
        (deeds.LEAVE, "exit code 0", False),
        (deeds.KILL, "SIGKILL", True),
        (deeds.HANG, "no answer for", False),
        (deeds.NO_JSON, "not JSON", False),
        (deeds.NO_END, "without an end", False),
        (deeds.NO_WORDS, "without a message", False),
        (deeds.NO_SHAPE, "without a shape", False),
        (deeds.HUGE_SHAPE, "without a shape", False),
        (deeds.HANG_UP, "no answer", False),
        (deeds.LEAVE_GROUP, "no answer for", False),
    ):
        before = np.array_equal(predictor.predict(*batch(0)), expected(0))
        assert before, said
        with pytest.raises(PredictorDiedError, match=said) as raised:
            predictor.predict(*batch(code))
        assert raised.value.began
        assert raised.value.by_chance == by_chance, said
    assert np.array_equal(predictor.predict(*batch(0)), expected(0))
    predictor.close()
    until(lambda: not marked())


def test_its_last_words_are_told_and_what_it_left_behind_ends_with_it(host: Hosted) -> None:
    predictor = opened(host)
    with pytest.raises(PredictorDiedError, match="before it went it said this"):
        predictor.predict(*batch(deeds.FORK))
    until(lambda: not marked())  # also what detached itself: a killed process takes a moment
    private = Path(os.environ["XDG_CACHE_HOME"]) / "ptyrun/private"
    assert list(private.iterdir()) == []


def test_what_detached_itself_and_took_off_its_environment_ends_with_it(host: Hosted) -> None:
    def sleepers() -> set[int]:
        return {
            each.pid
            for each in psutil.process_iter(["cmdline"])
            if (each.info["cmdline"] or [""])[-1] == "import time; time.sleep(3599)"
        }

    predictor = opened(host)
    before = sleepers()
    predictor.predict(*batch(deeds.DETACH))
    until(lambda: bool(sleepers() - before))
    predictor.close()
    host.end()
    until(lambda: not sleepers() - before)


def test_folders_that_it_leaves_are_deleted_however_deep_they_are(host: Hosted) -> None:
    predictor = open_hosted(host)
    assert host.process is not None
    private = host.process._yard.private
    predictor.predict(*batch(deeds.DEEPEN))
    assert (private / "a/a/a").exists()
    host.end()
    assert not private.exists()


def test_what_reads_nothing_of_what_it_is_asked_is_not_waited_for(host: Hosted) -> None:
    predictor = open_hosted(host)
    assert host.process is not None
    first = host.process
    for _ in range(10_000):  # until no more of what nobody reads is taken
        predictor.predict(*batch(deeds.ANSWER_UNREAD))
        if host.process is not first:
            break
    assert not first.is_there


def test_an_error_of_its_own_leaves_the_process_as_it_is(host: Hosted) -> None:
    predictor = opened(host)
    assert host.process is not None
    pid = host.process.pid
    with pytest.raises(PredictionError, match=r"asked Python to exit \(code 0\)"):
        predictor.predict(*batch(deeds.EXIT))
    with pytest.raises(PredictionError, match="failed with Mute: what it says could not be had"):
        predictor.predict(*batch(deeds.MUTE))
    with pytest.raises(PredictionError, match=r"failed with (PermissionError|OSError)"):
        predictor.predict(*batch(deeds.TRUNCATE))
    for code in (deeds.NAMELESS, deeds.LONG_NAME):
        with pytest.raises(PredictionError, match="failed with an error that cannot be named"):
            predictor.predict(*batch(code))
    # What would end the session if the session had found it out.
    with pytest.raises(PredictionError, match="failed with ModelError: the disk is full") as raised:
        predictor.predict(*batch(deeds.BLAME_THE_USER))
    assert "delete your home" not in raised.value.do
    assert np.array_equal(predictor.predict(*batch(0)), expected(0))
    assert host.process.pid == pid


@pytest.mark.parametrize("code", [deeds.ANSWER_TWICE, deeds.ANSWER_EARLY])
def test_an_answer_that_nobody_asked_for_is_not_that_to_the_next_batch(
    host: Hosted, code: int
) -> None:
    predictor = opened(host)
    predictor.predict(*batch(code))
    assert host.process is not None
    pid = host.process.pid
    assert np.array_equal(predictor.predict(*batch(0)), expected(0))
    assert host.process.pid != pid, "who answers unasked is not asked again"


def test_one_that_closes_its_streams_goes_on(host: Hosted) -> None:
    predictor = opened(host)
    for code in (deeds.CLOSE_STREAMS, 0):
        assert np.array_equal(predictor.predict(*batch(code)), expected(code))


@pytest.mark.parametrize("seals", [2, 4, 8])  # against shrinking, growing, writing
def test_memory_that_it_seals_is_its_own_fault(site: Path, tmp_path: Path, seals: int) -> None:
    host = hosted(tmp_path, seals=seals)
    predictor = opened(host)
    try:
        patches = predictor.predict(*batch(0))
    except PredictorDiedError as error:
        assert "memory of a batch is corrupted" in error.what
    else:
        assert np.array_equal(patches, expected(0)), "which does no harm"
    host.end()
    until(lambda: not marked())


def test_memory_that_runs_out_halves_the_batch(host: Hosted) -> None:
    halvings: list[str] = []
    predictor = open_hosted(host, lambda halving: halvings.append(str(halving)))
    with pytest.raises(PredictorOutOfMemoryError, match="not even one group"):
        predictor.predict(*batch(deeds.NO_MEMORY))
    assert halvings == ["out of memory at 2 groups, going on with 1: no room"]


def test_a_batch_that_the_predictor_makes_as_large_as_memory_is_never_made(
    site: Path, tmp_path: Path
) -> None:
    n_bytes = Layout(1 << 20, N, 1).n_bytes / (1 << 20)
    items = int(0.6 * available_bytes() / n_bytes)
    host = hosted(tmp_path, batch_items=items)
    with pytest.raises(PredictorOutOfMemoryError, match="bytes are free, and the predictor takes"):
        open_hosted(host)


def test_a_process_that_takes_all_memory_is_ended_and_the_batch_is_halved(
    host: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ptyrun.child.process.available_bytes", lambda: 400 << 20)
    host.patience = Patience()
    with pytest.raises(PredictorOutOfMemoryError, match="not even one group") as raised:
        opened(host).predict(*batch(deeds.EAT))
    assert "ran out of memory" in str(raised.value.__cause__)


def test_a_batch_that_was_not_begun_is_not_to_blame(host: Hosted) -> None:
    predictor = opened(host)
    for _ in range(3):
        assert host.process is not None
        pid = host.process.pid
        os.kill(pid, signal.SIGKILL)
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.001)
        assert np.array_equal(predictor.predict(*batch(0)), expected(0))


def test_a_session_that_has_to_end_does_not_wait_for_it(site: Path, tmp_path: Path) -> None:
    host = hosted(tmp_path, Patience())
    asked_s: list[float] = []
    is_computing = False

    def is_over() -> bool:
        if is_computing and not asked_s:
            asked_s.append(time.monotonic())
        return is_computing

    host.waits = Waits(computing=is_over)
    predictor = opened(host)
    is_computing = True
    with pytest.raises(CutOffError):
        predictor.predict(*batch(deeds.HANG))
    took_s = time.monotonic() - asked_s[0]
    until(lambda: not marked())
    assert took_s < 30  # what it takes on an idle machine is a hundredth


def test_a_session_that_is_killed_takes_it_along(host: Hosted, tmp_path: Path) -> None:
    opened(host)
    assert host.process is not None
    pid = os.fork()
    if pid == 0:  # a session whose predictor hangs
        other = HostedPredictor(Hosted("harmful", host.request, "digest"), host.request)
        (tmp_path / "ready").write_text(str(other._process.pid))
        other.predict(*batch(deeds.HANG))
        os._exit(0)
    while not (tmp_path / "ready").exists() or not (tmp_path / "ready").read_text():
        time.sleep(0.01)
    child = int((tmp_path / "ready").read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    deadline_s = time.monotonic() + 300
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline_s, "it outlives its session"
        time.sleep(0.01)


def test_confined_it_does_no_harm_that_this_kernel_can_stop(site: Path, tmp_path: Path) -> None:
    if not (found := abi()):
        pytest.skip("this kernel has no Landlock")
    bait = tmp_path / "home/bait"
    bait.parent.mkdir()
    bait.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        said: list[str] = []
        host = hosted(
            tmp_path,
            tries=True,
            bait=str(bait),
            port=server.getsockname()[1],
            ptyrun=ptyrun.__file__,
        )
        host.say = said.append
        predictor = opened(host)
        patches = predictor.predict(*batch(0)).real.ravel()
        predictor.close()
    names = (*deeds.HARMS, *deeds.MAY)
    done = {name for name, value in zip(names, patches, strict=False) if value == 1}
    stopped = {name for name in deeds.HARMS if deeds.FROM_ABI.get(name, 1) <= found}
    assert not done & stopped
    assert done >= set(deeds.MAY)
    assert said == []
    assert bait.read_text() == "secret"


def test_without_the_fence_it_can_do_all_that(site: Path, tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    bait.write_text("secret")
    host = hosted(tmp_path, tries=True, bait=str(bait), port=1, ptyrun=os.devnull)
    host.is_confined = False
    predictor = opened(host)
    patches = predictor.predict(*batch(0)).real.ravel()
    predictor.close()
    assert not bait.exists()
    assert patches[: len(deeds.HARMS) - 2].tolist().count(1) >= 6


def test_a_gpu_that_the_fence_keeps_from_starting_is_worth_more_than_the_fence(
    site: Path, tmp_path: Path
) -> None:
    if not abi():
        pytest.skip("this kernel has no Landlock")
    host = hosted(tmp_path)
    said: list[str] = []
    host.say = said.append
    process = host.begin()
    process.settle(host.waits.loading)
    process.unfit = "CUDA does not start inside it (error 999)"  # as on a machine with a GPU
    predictor = opened(host)
    assert host.process is not None
    assert (process.abi > 0, host.process.abi) == (True, 0)
    assert said == [f"predictor: its predictor runs unconfined: {process.unfit}"]
    predictor.close()


def test_debuggers_may_have_it_in_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [is_inline({"PTYRUN_INLINE": each}) for each in ("1", "0", "")] == [True, False, False]
    assert not is_inline({})


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_a_batch_takes_the_memory_of_the_one_before(host: Hosted) -> None:
    predictor = opened(host)

    def pages_taken(batches: int) -> int:
        assert host.process is not None
        file = Path(f"/proc/{host.process.pid}/stat")
        before = int(file.read_text().rpartition(")")[2].split()[7])
        for _ in range(batches):
            predictor.predict(*batch(deeds.TAKE_16_MIB), 0)
        return int(file.read_text().rpartition(")")[2].split()[7]) - before

    first = pages_taken(2)
    assert first * os.sysconf("SC_PAGE_SIZE") > 4 << 20, "the case shows nothing"
    assert pages_taken(10) < first
