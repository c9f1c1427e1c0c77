"""Is the traceback of an error shown that nothing explains? Only where a person asks for it."""

from __future__ import annotations

import os
import sys

DEBUG_WORD, DEBUG = "--debug", "PTYRUN_DEBUG"


def take_word(words: list[str]) -> list[str]:
    """Take ``--debug`` out of *words*, wherever it stands, for this process and its children.

    Examples
    --------
    >>> take_word(["status", "RUN"]), take_word(["export", "--", "--debug"])
    (['status', 'RUN'], ['export', '--', '--debug'])
    """
    before = words[: words.index("--")] if "--" in words else words
    if DEBUG_WORD not in before:
        return words
    os.environ[DEBUG] = "1"
    return [word for word in before if word != DEBUG_WORD] + words[len(before) :]


def is_debugged() -> bool:
    """Whether tracebacks are shown."""
    return bool(os.environ.get(DEBUG)) or "--verbose" in sys.argv[1:]
