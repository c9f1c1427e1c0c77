"""Is the last answer of a process heard that ends right after it?"""

from __future__ import annotations

import math
import socket
from types import SimpleNamespace
from typing import Any, cast

from ptyrun.child.lines import Lines
from ptyrun.child.process import ForeignProcess

ANSWER = b'{"event":"done"}\n'


class EndsAtOnce(ForeignProcess):
    """Its answer and its end come after the last look at the line, before that at the process."""

    def __init__(self, theirs: socket.socket, ours: socket.socket) -> None:
        self._theirs, self._control = theirs, ours.fileno()
        self._lines, self._unsent, self._ended = Lines(), b"", None
        self._words, self._looked_s = cast(Any, SimpleNamespace(open=[])), math.inf

    def _exit(self) -> int | None:
        self._theirs.send(ANSWER)
        return 0


def test_the_answer_of_a_process_that_ends_meanwhile_is_heard() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        process = EndsAtOnce(theirs, ours)
        assert process._message(60.0, lambda: False, True) == {"event": "done"}
