"""How does a session start, feed, watch and end the process of its predictor?

The process is judged by what it answers. Whatever else it does - it crashes, it hangs, it takes too
much memory, it leaves with exit code 0 - is the same: no answer came.
"""

from __future__ import annotations

import logging
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ptyrun.child.answers import UntruthError, raised
from ptyrun.child.arrays import Layout, SharedArrays, grow, make_memory
from ptyrun.child.fence import Yard
from ptyrun.child.lines import GarbledLineError, Lines, encoded, send
from ptyrun.errors import CutOffError, PredictorDiedError, PtyrunError
from ptyrun.host.children import born_of
from ptyrun.host.memory import available_bytes
from ptyrun.models.predictors import PredictorOutOfMemoryError
from ptyrun.texts import one_line

log = logging.getLogger(__name__)

T = TypeVar("T")
MARK = "PTYRUN_PREDICTOR"  # in the environment of the process, and of all that it starts
LAST_WORDS = 400
_POLL_S = 0.05
_LOOK_S = 0.25  # from one look at its memory to the next
_END_S = 10.0  # for a killed process to be gone
_SAID_BYTES = 1 << 16
_MOST_SAID_BYTES = 32 << 20  # of one process, in the log
# What a process does to itself; other signals may have come from anybody.
_OWN_FAULTS = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS", "SIGTRAP"})


@dataclass(frozen=True)
class Patience:
    """How long the session waits for its predictor.

    Attributes
    ----------
    load_s : float
        For a model to be loaded.
    batch_s : float
        For a batch, at the least.
    batches : float
        For a batch, as many times what the longest one took.
    close_s : float
        For it to let go of its model.
    """

    load_s: float = 3600.0
    batch_s: float = 600.0
    batches: float = 50.0
    close_s: float = 60.0


class PredictorProcess:
    """A process of its own for one arm's predictor, until it is ended.

    It dies with the thread that starts it: that one has to outlive it.

    Parameters
    ----------
    yard : Yard
        What it may read and write.
    label : str
        The arm's, for the log.
    patience : Patience
    """

    def __init__(
        self,
        yard: Yard,
        label: str = "predictor",
        patience: Patience | None = None,
    ) -> None:
        self.abi = 0
        self.why_free = ""
        self.unfit = ""
        self.memory = make_memory()
        self._memory_size = 0
        self._yard = yard
        self._label = label
        self._patience = patience or Patience()
        self._longest_s = 0.0
        self._lines = Lines()
        self._awaited: list[str] = []
        self._line = b""  # the last one, as far as it came
        self._last = b""
        self._said_bytes = 0
        self._ended: PredictorDiedError | None = None
        self._memory_bytes = available_bytes()
        self._token = secrets.token_hex(8)
        ours, theirs = socket.socketpair()
        self._errors, writer = os.pipe()
        try:
            self._control = ours.detach()
            os.set_blocking(self._errors, False)
            self._process = self._started(theirs.fileno(), writer)
        finally:
            theirs.close()
            os.close(writer)
        self.begin({"do": "fence", **yard.fence()})

    def _started(self, control: int, writer: int) -> subprocess.Popen[bytes]:
        words = (sys.executable, "-P", "-m", "ptyrun.child.server", str(control), str(self.memory))
        return subprocess.Popen(
            words,
            env={**self._yard.environment(os.environ), MARK: self._token},
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            pass_fds=(control, self.memory),
            process_group=0,  # Ctrl-C is the session's; and what it starts ends with it
            preexec_fn=born_of(os.getpid(), set()),
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_there(self) -> bool:
        """Whether it lives, and still can answer."""
        return self._ended is None and self._exit() is None

    def _exit(self) -> int | None:
        """Give its exit code, or minus its signal; None while it runs. It is not collected yet."""
        if self._process.returncode is not None:
            return self._process.returncode
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def begin(self, message: dict[str, Any]) -> None:
        """Have it do something whose answer is awaited later."""
        # That nobody reads it is found out by who waits for the answer.
        if self._ended is None:
            with suppress(BrokenPipeError, ConnectionResetError):
                send(self._control, encoded(message))
        self._awaited.append(message["do"])

    def ask(
        self,
        message: dict[str, Any],
        is_over: Callable[[], bool],
        read: Callable[[dict[str, Any]], T],
    ) -> T:
        """Have it do something and wait for the answer.

        Parameters
        ----------
        message : dict
        read : callable
            Makes of the answer what is wanted; raises UntruthError if it cannot.
        is_over : callable
            Whether the session has to end now, whatever is being done; asked again and again.

        Raises
        ------
        PredictorDiedError
            If none comes.
        PredictorOutOfMemoryError
            If it takes more memory than there is: it was ended.
        CutOffError
            If the session has to end before: it was ended.
        PtyrunError
            As the predictor says.
        """
        self.settle(is_over)
        self.begin(message)
        began_s = time.monotonic()
        answer = self._answer(self._limit_s(message["do"]), is_over, read)
        if message["do"] == "predict":
            self._longest_s = max(self._longest_s, time.monotonic() - began_s)
        return answer

    def settle(self, is_over: Callable[[], bool]) -> None:
        """Wait for all that was begun; raises as `ask`."""
        while self._awaited:
            what = self._awaited[0]
            try:
                answer = self._answer(self._patience.load_s, is_over, lambda told: told)
            except (PredictorDiedError, PredictorOutOfMemoryError):
                raise
            except PtyrunError:
                continue  # of the import that was begun: who opens the model says it again
            if what == "fence":
                abi, why = answer.get("abi"), answer.get("why_not")
                self.abi = abi if type(abi) is int else 0
                self.why_free = str(why)[:LAST_WORDS] if not self.abi else ""
                self.unfit = str(answer.get("unfit") or "")[:LAST_WORDS]

    def holds(self, layout: Layout) -> bool:
        """Whether its memory has room for a batch, or has no size yet."""
        return not self._memory_size or layout.n_bytes <= self._memory_size

    def arrays(self, layout: Layout) -> SharedArrays:
        """Give the memory that both processes see its size, and its form for a batch.

        Raises
        ------
        PredictorOutOfMemoryError
            If there is no room.
        """
        if not self._memory_size:
            free_bytes = available_bytes()
            if layout.n_bytes > free_bytes:
                raise PredictorOutOfMemoryError(
                    f"a batch of {layout.batch_items} groups takes {layout.n_bytes} bytes",
                    why=f"{free_bytes} are free",
                    do="use a smaller predict batch",
                )
            grow(self.memory, layout.n_bytes)
            self._memory_size = layout.n_bytes
        return SharedArrays(self.memory, layout)

    def _limit_s(self, what: str) -> float:
        patience = self._patience
        if what == "close":
            return patience.close_s
        if what == "open" or not self._longest_s:
            return patience.load_s  # the first batch may compile
        return max(patience.batch_s, patience.batches * self._longest_s)

    def _answer(
        self,
        limit_s: float,
        is_over: Callable[[], bool],
        read: Callable[[dict[str, Any]], T],
    ) -> T:
        began = False
        try:
            while True:
                message = self._message(limit_s, is_over, began)
                if message.get("event") == "began" and not began:
                    began = True
                    continue
                self._awaited.pop(0)
                if message.get("event") == "error":
                    raise raised(message, confined=self.abi > 0)
                return read(message)
        except (GarbledLineError, UntruthError) as error:
            raise self._dead(f"it answered {error}", began=began) from error

    def _message(self, limit_s: float, is_over: Callable[[], bool], began: bool) -> dict[str, Any]:
        """Wait for one line, listening to what it says meanwhile."""
        if self._ended is not None:
            raise self._ended
        deadline_s = time.monotonic() + limit_s
        look_s = 0.0
        while (message := self._lines.next()) is None:
            ready, _, _ = select.select([self._control, self._errors], [], [], _POLL_S)
            if self._errors in ready:
                self._hear()
            if self._control in ready:
                data = self._read()
                if not data:
                    raise self._dead("", began=began)
                self._lines.feed(data)
            elif self._exit() is not None:  # what it started may hold its line
                raise self._dead("", began=began)
            now_s = time.monotonic()
            if is_over():
                self.end()
                raise CutOffError("the session had to end before its predictor answered")
            if now_s > deadline_s:
                raise self._dead(f"it gave no answer for {limit_s:g} s", began=began)
            if now_s > look_s:
                look_s = now_s + _LOOK_S
                self._watch_memory()
        return message

    def _read(self) -> bytes:
        try:
            return os.read(self._control, _SAID_BYTES)
        except ConnectionResetError:
            return b""

    def _watch_memory(self) -> None:
        used = _resident_bytes(self.pid)
        if used <= self._memory_bytes:
            return
        self.end()
        raise PredictorOutOfMemoryError(
            "the predictor took more memory than there is",
            why=f"{used / 1e9:.1f} GB; {self._memory_bytes / 1e9:.1f} GB were there for it",
            do="use a smaller predict batch, or a machine with more memory",
        )

    def _hear(self) -> bool:
        """Take what the process says on its streams into the log; False if it says nothing."""
        try:
            data = os.read(self._errors, _SAID_BYTES)
        except BlockingIOError:
            return False
        self._last = (self._last + data)[-4 * LAST_WORDS :]
        *whole, self._line = (self._line + data).split(b"\n")
        if len(self._line) > _SAID_BYTES:
            whole, self._line = [*whole, self._line], b""
        self._said_bytes += len(data)
        if self._said_bytes <= _MOST_SAID_BYTES:
            for line in filter(bytes.strip, whole):
                log.info("%s says: %s", self._label, one_line(line.decode(errors="replace")))
        return bool(data)

    def _dead(self, why: str, *, began: bool) -> PredictorDiedError:
        """Say what became of it, once it is known."""
        if not why:
            deadline_s = time.monotonic() + _END_S
            while self._exit() is None and time.monotonic() < deadline_s:
                time.sleep(0.001)  # its line may end a moment before it
        code = self._exit()
        self.kill()
        while self._hear() and self._said_bytes < _MOST_SAID_BYTES:
            pass
        name = "" if code is None or code >= 0 else _name_of(-code)
        how = why or (f"{name} ended it" if name else f"it ended with exit code {code}")
        if code is None:
            how = why or "it closed its line"
        last = self._last.decode(errors="replace").strip()[-LAST_WORDS:]
        error = PredictorDiedError(
            f"the process of the predictor gave no answer: {how}",
            why=f"its last output: {one_line(last)}" if last else "it wrote nothing",
            do="look at the session's log; a model that does this again is broken or too large",
        )
        error.began = began
        error.by_chance = bool(name) and not why and name not in _OWN_FAULTS
        self._ended = error
        self.end()
        return error

    def kill(self) -> None:
        """End the process and what it started, at once."""
        if self._process.returncode is None:
            # Until it is collected, neither its PID nor its group can become somebody else's.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        for pid in _marked(self._token):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """End the process, and let go of all that was for it; again does nothing."""
        if self.memory < 0:
            return
        self.kill()
        for descriptor in (self._control, self._errors, self.memory):
            os.close(descriptor)
        self.memory = -1
        if self._ended is None:
            self._ended = PredictorDiedError("the predictor is closed", "it was ended", "open it")
        self._yard.leave()


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _resident_bytes(pid: int) -> int:
    """Memory that is its own: what is mapped from files can be dropped. 0 where that is unknown."""
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found = dict(line.split(":", 1) for line in lines if ":" in line)
        kib = sum(int(found[name].split()[0]) for name in ("RssAnon", "RssShmem") if name in found)
        return kib << 10
    return 0


def _marked(token: str) -> list[int]:
    """Processes that came from the one with *token*, however they detached themselves."""
    mark = f"{MARK}={token}".encode()
    found = []
    with suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdecimal():
                with suppress(OSError):
                    if mark in Path(entry.path, "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
    return found
