"""How does a process end in time, whatever its Python is doing?

A timer of the kernel makes a thread of libc call ``_exit``: neither C code that holds the
interpreter's lock nor an import that takes a minute keeps it from that. Only the command line arms
it: a library does not end the process that uses it. On other systems than Linux nothing is armed,
and a window ends when Python next looks.

A moment before, a second timer deletes a file, so that others can tell an end at the deadline from
a kill: a process that is ended so can say nothing itself. A third one tells people, on stderr.
"""

from __future__ import annotations

import ctypes
import os
import sys

from ptyrun.host.clock import boot_clock_s, started_s
from ptyrun.host.first_moment import INCOMPLETE

GRACE_S = 1.2  # from the window's end: an end in good order comes before
# Members of a crew leave before the process that waits for them.
MEMBER_GRACE_S = 0.8
_MARK_S = 0.5  # how long before the end the mark is deleted: on a busy machine threads start late
_SAYING_S = 0.1
_WHAT = b"time is over in the middle of the work: what was in hand is dropped, what is done stays"
_AGAIN = b"; run the same command again to go on"
LOOP = "PTYRUN_ADVICE"  # in the environment of windows that a loop repeats
_CLOCK_BOOTTIME = 7
_SIGEV_THREAD = 2
_TIMER_ABSTIME = 1
# `warnx` takes any number of words. Here one that is called as if it took one alone sees no other.
_FIRST_WORD_IS_ENOUGH = ("x86_64", "aarch64")


class _Event(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("padding", ctypes.c_char * 64),
    )


class _Time(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


def _kept(text: bytes) -> int:
    """Copy *text* to where it stays for good; a timer may go off when Python has let go of its own.

    Returns
    -------
    int
        Its address.
    """
    copied = ctypes.CDLL(None).strdup
    copied.argtypes, copied.restype = (ctypes.c_char_p,), ctypes.c_void_p
    address = copied(text)
    if not address:
        raise MemoryError
    return int(address)


class _Timer:
    """Calls one function of libc with one word as its argument, at a time of the boot clock."""

    def __init__(self, function: str, argument: int) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._id = ctypes.c_void_p()
        event = _Event(value=argument, notify=_SIGEV_THREAD)
        event.function = ctypes.cast(getattr(self._libc, function), ctypes.c_void_p).value
        if self._libc.timer_create(_CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(self._id)):
            raise OSError(ctypes.get_errno(), "timer_create")

    def set(self, at_s: float) -> None:
        """Go off at *at_s*, at once if that is over; 0 is never."""
        whole = int(at_s)
        setting = _Setting(value=_Time(whole, int((at_s - whole) * 1e9)))
        self._libc.timer_settime(self._id, _TIMER_ABSTIME, ctypes.byref(setting), None)

    def delete(self) -> None:
        """Forget it."""
        self._libc.timer_delete(self._id)


class Deadline:
    """The time at which this process ends at the latest.

    Attributes
    ----------
    at_s : float or None
        On the boot clock; None if nothing is armed.
    exit_code : int
        What it then ends with.
    """

    def __init__(self) -> None:
        self.at_s: float | None = None
        self.exit_code = INCOMPLETE
        self.is_enabled = False
        self._grace_s = GRACE_S
        self._end: _Timer | None = None
        self._mark: _Timer | None = None
        self._says = False
        self._saying: _Timer | None = None
        self._said = 0

    def enable(self, grace_s: float = GRACE_S, *, says: bool = True) -> None:
        """Let this process be ended from now on, *grace_s* after its window; it *says* so, too."""
        self.is_enabled = sys.platform == "linux"
        self._grace_s = grace_s
        self._says = says and os.uname().machine in _FIRST_WORD_IS_ENOUGH

    def set_window(self, window_s: float | None) -> None:
        """End this process when its window, counted from its start, is over; None is never."""
        if not self.is_enabled:
            return
        began_s = started_s(os.getpid())
        if window_s is None or began_s is None:
            self._set(None)
        else:
            self._set(began_s + window_s + self._grace_s)

    def within(self, seconds: float) -> bool:
        """End this process after *seconds*, unless it ends sooner anyway; False if it cannot."""
        if self.is_enabled:
            at_s = boot_clock_s() + seconds
            self._set(at_s if self.at_s is None else min(self.at_s, at_s))
        return self.at_s is not None

    def end_with(self, exit_code: int) -> None:
        """Choose the exit code of an end at the deadline."""
        if exit_code != self.exit_code:
            self.exit_code = exit_code
            self._word_end()
            before, self._end = self._end, None
            self._set(self.at_s)
            if before is not None:
                before.delete()

    def _word_end(self) -> None:
        if self._said:
            is_to_repeat = self.exit_code == INCOMPLETE and LOOP not in os.environ
            words = _WHAT + _AGAIN * is_to_repeat + b"\0"
            ctypes.memmove(self._said, words, len(words))

    def set_mark(self, path: str | os.PathLike[str]) -> None:
        """Delete *path* when the deadline comes; a file that is there then tells of a kill.

        The one before, of a session that is over, is forgotten.
        """
        if self.at_s is None:
            return
        if self._mark is not None:
            self._mark.delete()
        try:
            self._mark = _Timer("unlink", _kept(os.fsencode(path)))
        except (OSError, AttributeError):
            self._mark = None
        self._set(self.at_s)

    def _set(self, at_s: float | None) -> None:
        try:
            if self._end is None and at_s is not None:
                self._end = _Timer("_exit", self.exit_code)
                if self._says and self._saying is None:
                    self._said = _kept(_WHAT + _AGAIN)
                    self._word_end()
                    self._saying = _speaker(self._said)
        except (OSError, AttributeError):  # another libc, or a kernel that refuses
            self.is_enabled = False
            return
        self.at_s = at_s
        if self._mark is not None:
            self._mark.set(0.0 if at_s is None else at_s - _MARK_S)
        if self._saying is not None:
            self._saying.set(0.0 if at_s is None else at_s - _SAYING_S)
        if self._end is not None:
            self._end.set(at_s or 0.0)


def _speaker(text: int) -> _Timer | None:
    """Make what says, without Python, that this process is ended; None where libc has no such."""
    try:
        name = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "program_invocation_short_name")
        name.value = _kept(b"ptyrun")
        return _Timer("warnx", text)
    except (OSError, AttributeError, ValueError):
        return None


DEADLINE = Deadline()  # a process has one end
