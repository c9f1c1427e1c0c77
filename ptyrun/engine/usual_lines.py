"""How is a long ledger read in a moment? Most of its lines are alike: a chunk began, or is there.

Lines that look exactly as the engine writes them are taken apart without JSON; of any other line
this says nothing, and `records.decode` reads it. Both take the same lines for good: what is looked
for here is narrower than what is allowed there.
"""

from __future__ import annotations

import re

import google_crc32c

from ptyrun.engine.progress import Progress
from ptyrun.engine.records import decode

# Nothing here is ever tried in two ways, so that a line is looked at once.
_TEXT = rb"[ !#-\[\]-~]*+"
_INT = rb"(?>0|[1-9][0-9]{0,14}+)"
_NUMBER = _INT + rb"(?:\.[0-9]++)?+(?:e-[0-9]{1,3}+)?+"
_FIGURE = rb'"%b":(?:-?%b|true|false|null|"%b")' % (_TEXT, _NUMBER, _TEXT)
_CRC = rb'"crc":"([0-9a-f]{8})"\}'
_TAIL = len(b',"crc":"01234567"}')

_START = re.compile(
    rb'\{"event":"start","arm":"(%b)","chunk":(%b),"generation":%b,"at_s":%b,"stretch":(%b),'
    rb'"together":%b,' % (_TEXT, _INT, _INT, _NUMBER, _INT, _INT) + _CRC
)
_COMMIT = re.compile(
    rb'\{"event":"commit","arm":"(%b)","chunk":(%b),"key":"%b","length":(%b),'
    rb'"crc32c":"([0-9a-f]{8})","fingerprint":"(%b)","attempt":%b,"seconds":(%b),"write_s":(%b),'
    rb'"warm":(true|false),"at_s":%b,"generation":(%b),"stats":\{((?:%b(?:,%b)*)?)\},'
    % (_TEXT, _INT, _TEXT, _INT, _TEXT, _INT, _NUMBER, _NUMBER, _NUMBER, _INT, _FIGURE, _FIGURE)
    + _CRC
)


_NAME = re.compile(rb'"([^"]*)":')


def _has_a_name_twice(stats: bytes) -> bool:
    """Whether figures have one name, of which readers take one or the other."""
    if b"," not in stats:
        return False
    names = _NAME.findall(stats)
    return len({*names}) < len(names)


class UsualLines:
    """Adds usual lines of one session to the sum, as many at once as there are.

    That a chunk began means nothing once it is there, which mostly comes soon after: such lines
    wait for it, and are added by `flush` where it does not come.

    Attributes
    ----------
    commits : int
        How many lines said that a chunk is there.
    stretch : int
        The highest number of a stretch that was begun.
    """

    def __init__(self, progress: Progress, session: str) -> None:
        self._progress = progress
        self._arms = {name.encode(): arm for name, arm in progress.arms.items()}
        self._session = session
        self._begun: dict[tuple[bytes, bytes], bytes] = {}
        self.commits = 0
        self.stretch = 0

    def add(self, line: bytes, *, counts: bool) -> bool:
        """Add a line, without its newline; False if it is an unusual one, or proves nothing.

        With *counts* false, as one of a session whose work is not of this run.
        """
        if found := _START.fullmatch(line):
            arm, chunk, stretch, crc = found.groups()
            if google_crc32c.value(line[:-_TAIL]) != int(crc, 16):
                return False
            self.stretch = max(self.stretch, int(stretch))
            if counts:
                if (arm, chunk) in self._begun:
                    self.flush()
                self._begun[arm, chunk] = line
            return True
        if (found := _COMMIT.fullmatch(line)) is None:
            return False
        name, chunk, length, stored, fingerprint, took, wrote, warm, generation, stats, crc = (
            found.groups()
        )
        if google_crc32c.value(line[:-_TAIL]) != int(crc, 16) or _has_a_name_twice(stats):
            return False
        self.commits += 1
        of = self._arms.get(name)
        if counts and of is not None and fingerprint == of.plan.fingerprint.encode():
            self._begun.pop((name, chunk), None)
            of.commit(
                self._session,
                int(chunk),
                int(generation),
                of.plan.fingerprint,
                (int(length), int(stored, 16)),
                (float(took), float(wrote), warm == b"true"),
            )
        return True

    def flush(self) -> None:
        """Add what began and is not there yet."""
        for line in self._begun.values():
            self._progress.apply(self._session, decode(line))
        self._begun.clear()


def seconds_of(line: bytes) -> tuple[str, float] | None:
    """Fingerprint and seconds of a line, without its newline, that says that a chunk is there.

    None if it is any other line, an unusual one, or proves nothing.
    """
    found = _COMMIT.fullmatch(line)
    if found is None or google_crc32c.value(line[:-_TAIL]) != int(found[11], 16):
        return None
    if _has_a_name_twice(found[10]):
        return None
    return found[5].decode(), float(found[6])
