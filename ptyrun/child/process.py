"""How does a session start, ask, watch and end a process that foreign code lives in?

The process is judged by what it answers. Whatever else it does - it crashes, it hangs, it takes too
much memory, it leaves with exit code 0 - is the same: no answer came.
"""

from __future__ import annotations

import math
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ptyrun.child.answers import HINT, KNOWN, UntruthError, raised
from ptyrun.child.fence import Yard
from ptyrun.child.lines import MAX_TOLD_BYTES, GarbledLineError, Lines, encoded
from ptyrun.child.words import Words
from ptyrun.errors import CutOffError, PredictorDiedError, PtyrunError
from ptyrun.host.children import born_of
from ptyrun.host.clock import started_s
from ptyrun.host.memory import available_bytes
from ptyrun.models.predictors import PredictorOutOfMemoryError

T = TypeVar("T")
MARK = "PTYRUN_PREDICTOR"  # in the environment of the process, and of all that it starts
START_S = 3600.0  # for what was begun: to be fenced in, to import, to load
_POLL_S = 0.05
_LOOK_S = 0.25  # from one look at its memory to the next
_END_S = 10.0  # for a killed process to be gone
_FORKS = 100  # looks at what it started, which may be starting more
_READ_BYTES = 1 << 16
MAX_WHY = 400
_FENCE = "fence"  # the first thing that it does, which it does not say that it begins
_UNASKED = "it gave an answer that was not asked for"
# What a process does to itself; other signals may have come from anybody.
_OWN_FAULTS = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS", "SIGTRAP"})


class ForeignProcess:
    """A process of its own for foreign code, until it is ended.

    It dies with the thread that starts it: that one has to outlive it.

    Parameters
    ----------
    yard : Yard
        What it may read and write.
    program : str
        The module that it runs, with its end of the line as the first word.
    what : str
        Whose code it is, for people.
    hear : callable
        Given each line that it writes to its streams.
    descriptors : tuple of int
        That it inherits; its further words.
    """

    KNOWN: ClassVar[Mapping[str, type[PtyrunError]]] = KNOWN  # errors that it may answer
    HINT: ClassVar[str] = HINT  # said where something was denied to it

    def __init__(
        self,
        yard: Yard,
        program: str,
        what: str,
        hear: Callable[[str], None],
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self.abi = 0
        self.why_free = ""
        self.unfit = ""
        self._yard = yard
        self._what = what
        self._lines = Lines()
        self._unsent = b""
        self._awaited: list[str] = []
        self._ended: PredictorDiedError | None = None
        self._is_closed = False
        self._memory_bytes = available_bytes()
        self._looked_s = -math.inf  # at how much of it is taken
        self._token = secrets.token_hex(8)
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        try:
            # Who does not read what it is asked would be waited for, for ever.
            ours.setblocking(False)
            self._control = ours.detach()
            self._words = Words(reader, hear)
            words = (sys.executable, "-P", "-m", program)
            self._process = self._started(words, (theirs.fileno(), *descriptors), writer)
        finally:
            theirs.close()
            os.close(writer)
        self.begin({"do": _FENCE, **yard.fence()})

    def _started(
        self, words: tuple[str, ...], descriptors: tuple[int, ...], writer: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (*words, *map(str, descriptors)),
            env={**self._yard.environment(os.environ), MARK: self._token},
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            pass_fds=descriptors,
            process_group=0,  # Ctrl-C is the session's; and what it starts ends with it
            preexec_fn=born_of(os.getpid(), set(), adopts=True),
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
        if self._ended is None:
            self._unsent += encoded(message, MAX_TOLD_BYTES)
            self._send()
        self._awaited.append(message["do"])

    def _send(self) -> None:
        """Send as much as it takes now. That nobody reads it, who awaits the answer finds out."""
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._control, self._unsent) :]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._unsent = b""

    def ask(
        self,
        message: dict[str, Any],
        is_over: Callable[[], bool],
        read: Callable[[dict[str, Any]], T],
        limit_s: float = math.inf,
    ) -> T:
        """Have it do something and wait for the answer.

        Parameters
        ----------
        message : dict
        read : callable
            Makes of the answer what is wanted; raises UntruthError if it cannot.
        is_over : callable
            Whether the session has to end now, whatever is being done; asked again and again.
        limit_s : float
            How long an answer is waited for.

        Raises
        ------
        PredictorDiedError
            If none comes.
        PredictorOutOfMemoryError
            If it takes more memory than there is: it was ended.
        CutOffError
            If the session has to end before: it was ended.
        PtyrunError
            As it says.
        """
        self.settle(is_over)
        if self._lines.has_more or select.select([self._control], [], [], 0)[0]:
            self._require_silence()
        self.begin(message)
        return self._answer(limit_s, is_over, read)

    def _require_silence(self) -> None:
        """See that an end of the line is all that there is to read: answers come when asked for."""
        if self._lines.has_more or self._read():
            raise self._dead(_UNASKED, began=False)

    def answered(self, is_over: Callable[[], bool], read: Callable[[dict[str, Any]], T]) -> T:
        """Wait for what was begun last, when all before it is settled; raises as `ask`."""
        return self._answer(START_S, is_over, read)

    def settle(self, is_over: Callable[[], bool], leave: int = 0) -> None:
        """Wait for all that was begun, but the last *leave*; raises as `ask`."""
        while len(self._awaited) > leave:
            what = self._awaited[0]
            try:
                answer = self._answer(START_S, is_over, lambda told: told)
            except (PredictorDiedError, PredictorOutOfMemoryError):
                raise
            except PtyrunError:
                continue  # of the import that was begun: who opens the model says it again
            if what == _FENCE:
                abi, why = answer.get("abi"), answer.get("why_not")
                self.abi = abi if type(abi) is int else 0
                self.why_free = str(why)[:MAX_WHY] if not self.abi else ""
                self.unfit = str(answer.get("unfit") or "")[:MAX_WHY]

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
                what = self._awaited.pop(0)
                if not began and what != _FENCE:  # left over from what it did before
                    raise self._dead(_UNASKED, began=False)
                if message.get("event") == "error":
                    hint = self.HINT if self.abi else ""
                    raise raised(message, what_failed=self._what, known=self.KNOWN, hint=hint)
                return read(message)
        except (GarbledLineError, UntruthError) as error:
            raise self._dead(f"it answered {error}", began=began) from error

    def _message(self, limit_s: float, is_over: Callable[[], bool], began: bool) -> dict[str, Any]:
        """Wait for one line, listening to what it says meanwhile."""
        if self._ended is not None:
            raise self._ended
        deadline_s = time.monotonic() + limit_s
        while (message := self._lines.next()) is None:
            sends = [self._control] * bool(self._unsent)
            ready, _, _ = select.select([self._control, *self._words.open], sends, [], _POLL_S)
            self._send()
            if self._words.open and self._words.open[0] in ready:
                self._words.hear()
            if self._control in ready:
                data = self._read()
                if not data:
                    raise self._dead("", began=began)
                self._lines.feed(data)
            elif self._exit() is not None and not select.select([self._control], [], [], 0)[0]:
                raise self._dead("", began=began)  # what it started may hold its line
            now_s = time.monotonic()
            if is_over():
                self.end()
                raise CutOffError(f"the session had to end before its {self._what} answered")
            if now_s > deadline_s:
                raise self._dead(f"it gave no answer for {limit_s:g} s", began=began)
            if now_s > self._looked_s + _LOOK_S:
                self._looked_s = now_s
                self._watch_memory()
        return message

    def _read(self) -> bytes:
        try:
            return os.read(self._control, _READ_BYTES)
        except ConnectionResetError:
            return b""

    def _watch_memory(self) -> None:
        used = _resident_bytes(self.pid)
        if used <= self._memory_bytes:
            return
        self.end()
        raise PredictorOutOfMemoryError(
            f"the {self._what} ran out of memory",
            why=f"it took {used / 1e9:.1f} GB, and {self._memory_bytes / 1e9:.1f} GB were free",
            do="use smaller batches, or a machine with more memory",
        )

    def _dead(self, why: str, *, began: bool) -> PredictorDiedError:
        """Say what became of it, once it is known."""
        if not why:
            deadline_s = time.monotonic() + _END_S
            while self._exit() is None and time.monotonic() < deadline_s:
                time.sleep(0.001)  # its line may end a moment before it
        code = self._exit()
        self.kill()
        self._words.hear_all()
        name = "" if code is None or code >= 0 else _name_of(-code)
        how = why or (f"{name} ended it" if name else f"it ended with exit code {code}")
        if code is None:
            how = why or "it closed its connection"
        last = self._words.last
        error = PredictorDiedError(
            f"the process of the {self._what} gave no answer: {how}",
            why=f"its last output: {last}" if last else "it wrote nothing",
            do=f"look at the log; if it recurs, the {self._what} is broken or needs too much",
        )
        error.began = began
        error.by_chance = bool(name) and not why and name not in _OWN_FAULTS
        self._ended = error
        self.end()
        return error

    def terminate(self) -> None:
        """Ask it to end in good order."""
        if self.is_there:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the process and what it started, at once."""
        if self._process.returncode is None:
            self._kill_family()
            # Until it is collected, neither its PID nor its group can become somebody else's.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with suppress(ProcessLookupError):  # it may have left its group
                os.kill(self.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        for pid in _marked(self._token):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _kill_family(self) -> None:
        """End what it started, however that detached itself; it starts nothing while it stands."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGSTOP)
        for _ in range(_FORKS):
            started = [each for each in _family(self.pid) if each != self.pid]
            alive = [each for each in started if started_s(each) is not None]
            if not alive:
                break
            for each in alive:
                with suppress(OSError):
                    os.kill(each, signal.SIGKILL)

    def end(self) -> None:
        """End the process, and let go of all that was for it; again does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self.kill()
        os.close(self._control)
        self._words.close()
        if self._ended is None:
            self._ended = PredictorDiedError("the process is closed", "it was ended", "open it")
        self._yard.leave()


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _resident_bytes(pid: int) -> int:
    """Memory of a process and of those that it started: not what is mapped from files.

    0 where that is unknown.
    """
    total = 0
    for each in _family(pid):
        with suppress(OSError, ValueError):
            lines = Path(f"/proc/{each}/status").read_text().splitlines()
            found = dict(line.split(":", 1) for line in lines if ":" in line)
            for name in ("RssAnon", "RssShmem"):
                total += int(found[name].split()[0]) << 10 if name in found else 0
    return total


def _family(pid: int) -> Iterator[int]:
    """A process and all that came from it: it adopts those whose own parents are gone."""
    left = [pid]
    while left:
        each = left.pop()
        yield each
        with suppress(OSError, ValueError):
            for thread in os.scandir(f"/proc/{each}/task"):
                left += map(int, Path(thread.path, "children").read_text().split())


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
