"""How does a process run others in its place, and leave none of them behind?

Signals are handed on, and whatever a child leaves behind ends with it. A child ends when its parent
dies, however that dies (on Linux; elsewhere it ends with its window).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

from ptyrun.host.signals import ASKED, CLOSING

AS_THEY_ARE = (signal.SIGINT, signal.SIGUSR1)  # the others as SIGTERM
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def ptyrun_words(*words: str) -> tuple[str, ...]:
    """Give the command that runs ptyrun with *words* in a fresh process of this very Python."""
    # -P: what lies in the current folder must not take the place of ptyrun or of what it imports.
    return (sys.executable, "-P", "-m", "ptyrun", *words)


def ancestor_of(pid: int) -> int:
    """Give the PID of the ptyrun process that began the one called *pid*, or *pid* itself.

    Windows and workers are processes of their own; where one of them ends, its parent goes on.
    """
    import psutil  # for messages

    found = pid
    with suppress(psutil.Error):
        for parent in psutil.Process(pid).parents():
            if not any(Path(word).name == "ptyrun" for word in parent.cmdline()[:5]):
                break
            found = parent.pid
    return found


class Parent:
    """Runs children; only the main thread of a process can.

    While entered, each signal that closes a window goes to each child, once, and so does the first
    Ctrl-C; the second Ctrl-C kills them. Ctrl-Z stops all and ``fg`` lets all go on.

    Attributes
    ----------
    caught : signal or None
        The last signal that came: a caller that goes on after it would not end when asked to.
    """

    def __init__(self) -> None:
        self.caught: signal.Signals | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in CLOSING:
            self._listen(number, self._hand_on)
        self._listen(signal.SIGTSTP, self._pause)
        return self

    def _listen(
        self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]
    ) -> None:
        # What nohup or a shell without job control had ignored stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            self._before[number] = signal.signal(number, handler)

    def __exit__(self, *exc: object) -> None:
        for child in [*self._children]:
            _to_group(child, signal.SIGKILL)
            self._collected(child)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def call(
        self,
        words: Sequence[str],
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        *,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> int:
        """Run a command to its end, in *environment* and *cwd* or this process's own.

        Returns
        -------
        int
            Its exit code, or minus the signal that killed it, before it began if need be.
        """
        child = self.begin(words, environment=environment, cwd=cwd, stdout=stdout, stderr=stderr)
        if child is None:
            return -(self.caught or 0)
        return self._collected(child)

    def begin(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> subprocess.Popen[bytes] | None:
        """Begin a command there, with its output there; None after a signal."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, CLOSING)
        try:
            if self.caught:
                return None
            child = subprocess.Popen(
                words,
                env=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                # A group of its own: Ctrl-C at a terminal must reach it once, through here.
                process_group=0,
                preexec_fn=born_of(os.getpid(), before),
            )
            self._children.append(child)
        finally:
            # A signal that came meanwhile is handled here, now that the child can be told.
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return child

    def ended(self) -> list[tuple[subprocess.Popen[bytes], int]]:
        """Collect the children that ended, each with its exit code or minus its signal."""
        look = os.WEXITED | os.WNOWAIT | os.WNOHANG
        over = [child for child in self._children if os.waitid(os.P_PID, child.pid, look)]
        return [(child, self._collected(child)) for child in over]

    def _collected(self, child: subprocess.Popen[bytes]) -> int:
        # Until it is collected, neither its PID nor its group can become somebody else's.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        _to_group(child, signal.SIGKILL)
        self._children.remove(child)
        return child.wait()

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        again = self.caught is signal.SIGINT and number == signal.SIGINT
        self.caught = signal.Signals(number)
        ASKED.note(number)
        for child in self._children:
            if again:
                _to_group(child, signal.SIGKILL)
            else:
                os.kill(child.pid, number if number in AS_THEY_ARE else signal.SIGTERM)

    def _pause(self, _number: int, _frame: FrameType | None) -> None:
        for child in self._children:
            _to_group(child, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        for child in self._children:
            _to_group(child, signal.SIGCONT)


def _to_group(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def born_of(
    parent_pid: int, mask: set[signal.Signals | int] | None = None, *, adopts: bool = False
) -> Callable[[], None]:
    """Make what a child does first: see that it dies with its parent, and block *mask* alone.

    One that *adopts* becomes the parent of all that its own children leave behind.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def prepare() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if adopts:
                libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        if os.getppid() != parent_pid:
            os._exit(1)  # the parent died before it could be noticed
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return prepare
