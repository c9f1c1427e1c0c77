"""How does a finished comparison look to a reader? Drawings, tables, templates; no arithmetic."""

import logging

# What matplotlib says of a home that cannot be written to: it does without, and nothing is lost.
_WITHOUT_HOME = ("mkdir -p failed", "is not a writable directory", "a temporary cache directory")


def _matters(record: logging.LogRecord) -> bool:
    return not any(words in str(record.msg) for words in _WITHOUT_HOME)


# It speaks when it is imported, which no other room does before this one.
logging.getLogger("matplotlib").addFilter(_matters)
