"""Where does a session's log go? Structured lines beside the run, bounded in size and number."""

from __future__ import annotations

import datetime
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from ptyrun.errors import PtyrunError

MAX_BYTES = 8 << 20
PARTS = 3
SESSIONS_KEPT = 40
# What is not UTF-8 in a file's name becomes what JSON, too, calls it.
_ESCAPED = "backslashreplace"


_UNSEEN: dict[str, Any] = {"exc_info": True, "extra": {"is_shown": True}}  # said once already


class JsonLines(logging.Formatter):
    """One JSON object per line: at, level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        text = json.dumps(line, ensure_ascii=False)
        # A terminal that shows the file must not obey it.
        return text if text.isprintable() else "".join(map(_spelt, text))


def _spelt(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


class _PatientHandler(RotatingFileHandler):
    """Loses lines that the disk refuses: the work then says itself that it is full or read-only."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Pass over what the disk refuses; anything else is a mistake in the program."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


@contextmanager
def session_log(folder: Path) -> Iterator[Path]:
    """Write what ptyrun logs into a file of this process's own in *folder*.

    A file rotates at 8 MiB; of older sessions the latest 40 stay. A disk that takes no log stops
    nothing.
    """
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("session-*.jsonl*"))[:-SESSIONS_KEPT]:
            old.unlink(missing_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    path = folder / f"session-{now:%Y%m%dT%H%M%SZ}-{os.getpid()}.jsonl"
    handler = _PatientHandler(
        path, maxBytes=MAX_BYTES, backupCount=PARTS, encoding="utf-8", errors=_ESCAPED, delay=True
    )
    handler.setLevel(logging.INFO)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("ptyrun")
    level = logger.level
    logger.setLevel(min(level or logging.INFO, logging.INFO))
    logger.addHandler(handler)
    try:
        yield path
    except PtyrunError:
        raise
    except Exception:
        logger.error("the session ends in an error that nothing explains", **_UNSEEN)
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        with suppress(OSError):
            handler.close()
