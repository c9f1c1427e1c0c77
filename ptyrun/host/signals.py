"""Did somebody ask this session to end?

SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU close the window early, as does the first Ctrl-C; a
second Ctrl-C that comes before that has ended the process ends it at once, by the system's own
default action, which the crash-safe order on disk makes harmless. It does not wait for Python: the
kernel takes the handler away when the first one comes. SIGHUP stays ignored under ``nohup``.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress

from ptyrun.errors import ExitCode, Leaving
from ptyrun.host.deadline import DEADLINE
from ptyrun.host.first_moment import CLOSING_NAMES

TYPE_CHECKING = False  # typing's own costs an import, and this is where a process begins
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, Self

INTERRUPTED = "interrupted"
RECEIVED = "received "
PATIENCE_S = 1.0  # for an end in good order where no session is at work
CLOSING_S = 8.0  # for that of a session: a model that is being loaded cannot be interrupted
_WAKING_S = 0.05  # from one attempt to the next
CLOSING: tuple[signal.Signals, ...] = tuple(
    number for name in CLOSING_NAMES if (number := getattr(signal, name, None)) is not None
)


class Asked:
    """Whether any signal asked this process to end, and who is told of that at once.

    Attributes
    ----------
    was : bool
    ctrl_c : int
        How often Ctrl-C did; the second one ends this process at once.
    """

    def __init__(self) -> None:
        self.was = False
        self.ctrl_c = 0
        self.listeners: list[Callable[[], object]] = []

    def note(self, number: int) -> None:
        """Remember, and tell; called in the handler of a signal."""
        self.was = True
        self.ctrl_c += number == signal.SIGINT
        for listener in self.listeners:
            listener()


ASKED = Asked()  # a process is asked or not


class Interrupts:
    """Listens to signals while entered; only the main thread of a process can."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in CLOSING:
                if not _is_ignored_for_good(number):
                    self._before[number] = signal.signal(number, self._note)
            _hear_ctrl_c_once()
        return self

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.reason = caused_by(number)
        ASKED.note(number)
        DEADLINE.within(CLOSING_S)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


def _is_ignored_for_good(number: int) -> bool:
    """Whether ``nohup`` began this process; it ignores this signal alone."""
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN


def caused_by(number: int) -> str:
    """Say why a session ends that got this signal."""
    is_ctrl_c = number == signal.SIGINT
    return INTERRUPTED if is_ctrl_c else f"{RECEIVED}{signal.Signals(number).name}"


def is_asked_for(reason: str) -> bool:
    """Tell whether a session ended for this reason because a signal asked it to."""
    return reason == INTERRUPTED or reason.startswith(RECEIVED)


def leave_on_signals() -> None:
    """End this process with exit code 75 on the same signals wherever no session listens.

    Planning and assembling leave nothing half done that counts, so they may end at any point. A
    signal that comes again has its default action.
    """
    for number in CLOSING:
        # What a shell without job control had ignored stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    _hear_ctrl_c_once()
    _let_none_go_unnoticed()
    sys.unraisablehook = _without_words_for_leaving(sys.unraisablehook)


def _without_words_for_leaving(
    before: Callable[[sys.UnraisableHookArgs], object],
) -> Callable[[sys.UnraisableHookArgs], object]:
    """Let Python tell of exceptions that nobody can catch, but not of the end that was asked for.

    A signal may come while Python finalises an object; what its handler raises goes no further.
    """

    def tell(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, Leaving):
            before(lost)

    return tell


def _let_none_go_unnoticed() -> None:
    """Have the main thread look up when a signal came.

    Python only remembers a signal, and the handler runs when the main thread next looks. One that
    comes a moment before that thread begins to wait, or that the kernel gives to another thread, is
    noticed when the wait ends, which may be never.
    """
    if not hasattr(signal, "pthread_kill"):
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGURG, lambda *_: None)  # without a handler, it interrupts nothing
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    main = threading.get_ident()
    # Blocked there for good: a signal that the main thread puts off must not be taken for it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, CLOSING)
    threading.Thread(target=_wake_when_asked, args=(reader, main), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wake_when_asked(reader: int, main: int) -> None:
    while number := os.read(reader, 1):
        while number[0] in CLOSING and not ASKED.was:
            signal.pthread_kill(main, signal.SIGURG)
            time.sleep(_WAKING_S)


def end_by(number: int) -> None:
    """End this process by a signal, as if it did not listen."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


class _Action(ctypes.Structure):
    """As both libc of Linux have it on the machines named below."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_char * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


_SA_RESETHAND = 0x80000000 - (1 << 32)


def _hear_ctrl_c_once() -> None:
    """Let the kernel take the handler of SIGINT away when it is called.

    Python calls its own handlers only when it next looks, which C code can put off for minutes.
    """
    is_known = sys.platform == "linux" and os.uname().machine in ("x86_64", "aarch64")
    if not is_known or not callable(signal.getsignal(signal.SIGINT)):
        return
    libc, action = ctypes.CDLL(None), _Action()
    if libc.sigaction(signal.SIGINT, None, ctypes.byref(action)) == 0 and action.handler:
        action.flags |= _SA_RESETHAND
        libc.sigaction(signal.SIGINT, ctypes.byref(action), None)


def _leave(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGINT and ASKED.ctrl_c:  # a session heard the first one
        end_by(number)
    signal.signal(number, signal.SIG_DFL)
    # Written past Python's buffers, which this may have interrupted.
    words = f"received {signal.Signals(number).name}: run the same command again to go on\n"
    with suppress(OSError):  # a full or closed stream ends nothing
        os.write(2, words.encode())
    # What is raised here can get lost where nobody lets it through: in a finaliser, or in a
    # compiled module that is being imported.
    ASKED.note(number)
    if not DEADLINE.within(PATIENCE_S):
        # Python takes its handlers away before all is let go of: the alarm would then kill.
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, _leave_at_once)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    raise Leaving(int(ExitCode.INCOMPLETE))


def _leave_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(int(ExitCode.INCOMPLETE))
