"""What a fuzz that cannot fail would pass over: readers that raise, hang, die and swell."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.kinds import Kind, Said

HOW = ("well", "raises", "ends otherwise", "dies", "hangs", "swells")


class Bait(Kind):
    """The number of the trial says what happens."""

    NAME = "bait"
    WEIGHT = 1

    @classmethod
    def make(cls, samples: Path) -> None:
        (samples / cls.NAME).mkdir(parents=True)
        (samples / cls.NAME / "how").write_text("well")

    def is_good(self, said: Said) -> bool:
        return said.code == 0

    def spoil(self, rng: random.Random) -> None:
        (self.place / "how").write_text(HOW[rng.randrange(len(HOW))])

    def read(self, rng: random.Random) -> Iterator[Said]:
        how = (self.place / "how").read_text()
        if how == "dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        if how == "hangs":
            while True:
                pass
        if how == "swells":
            self.much = bytearray(3 << 30)
            self.much[:: 1 << 12] = bytes(len(self.much) >> 12)
        said = "error: KeyError\n  why: a defect of ptyrun" if how == "raises" else ""
        yield Said((how,), 9 if how == "ends otherwise" else 0, said)
        sys.stderr.flush()
