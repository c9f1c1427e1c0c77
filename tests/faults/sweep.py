"""How many faults were tried, and what went wrong in which?"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.disk import Fault, Sites
from tests.faults.trial import Laboratory, Verdict
from tests.faults.works import Work


@dataclass
class Sweep:
    """The verdicts of many trials."""

    verdicts: list[Verdict] = field(default_factory=list)
    sites: Sites = field(default_factory=dict)

    @classmethod
    def nothing(cls) -> Sweep:
        """Make an empty sum."""
        return cls()

    def __add__(self, other: Sweep) -> Sweep:
        return Sweep([*self.verdicts, *other.verdicts])

    @classmethod
    def of(
        cls, work: Work, folder: Path, side_by_side: int, choose: Callable[[Sites], list[Fault]]
    ) -> Sweep:
        """Try the faults that *choose* names on *work*, in as many processes."""
        folder.mkdir()
        children = []
        for part in range(side_by_side):
            if (pid := os.fork()) == 0:
                _try_out(work, folder / str(part), choose, slice(part, None, side_by_side))
            children.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        if any(codes):
            sys.exit("without any fault, the work does not come to its end: see above")
        found = [pickle.loads(path.read_bytes()) for path in sorted(folder.glob("*.verdicts"))]
        sites: Sites = json.loads((folder / "0/sites").read_text())
        return cls([each for part in found for each in part if each.happened], sites)

    @property
    def is_bad(self) -> bool:
        """Whether anything went wrong, or nothing was tried."""
        return not self.verdicts or bool(self.complaints())

    def complaints(self) -> list[str]:
        """Every fault after which something was wrong, with what."""
        return [
            f"{verdict.fault}: {complaint}"
            for verdict in sorted(self.verdicts, key=lambda verdict: verdict.fault)
            for complaint in verdict.complaints
        ]

    def __str__(self) -> str:
        def count(name: str) -> int:
            return sum(bool(getattr(verdict, name)) for verdict in self.verdicts)

        return (
            f"{len(self.verdicts)} faults, {count('false_claims')} false claims, "
            f"{count('unexplained')} tracebacks or exits not explained, "
            f"{count('wrong')} that do not go on, {count('left_over')} left-overs"
        )


def _try_out(work: Work, folder: Path, choose: Callable[[Sites], list[Fault]], part: slice) -> None:
    code = 1
    try:
        laboratory = Laboratory(work, folder)
        faults = choose(laboratory.prepare())[part]
        verdicts = []
        began_s = time.monotonic()
        for number, fault in enumerate(faults, 1):
            verdicts.append(laboratory.try_out(fault))
            what = "; ".join(verdicts[-1].complaints) or "ok"
            each_s = (time.monotonic() - began_s) / number
            print(f"  {number}/{len(faults)} ({each_s:.2f} s each)  {fault}: {what}", flush=True)
        folder.with_suffix(".verdicts").write_bytes(pickle.dumps(verdicts))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
