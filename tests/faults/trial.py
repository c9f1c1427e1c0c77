"""What becomes of a run whose disk refused one call?"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import google_crc32c

from ptyrun.engine.integrity import verify
from ptyrun.engine.records import BadLineError, Committed, Forgotten, decode
from ptyrun.errors import ExitCode
from ptyrun.paths import RunPaths
from tests.faults.disk import NONE, Fault, Sites, Tally, arm, watch
from tests.faults.works import Work, fresh

ALLOWED = {0, 1, 2, 3, 75}
BAD_SECTOR = "EIO"  # the one answer that speaks of bytes which will not be read again
HINTS = ("cache", "ledger.cache")
HANGING_S = 300.0
LONG_AGO_S = 2 * 86400.0
SESSION = re.compile(r"\d{6}-[^/]*-\d+-[0-9a-f]{8}|session-\w+-\d+(?=\.jsonl)")


@dataclass
class Verdict:
    """All that went wrong in one trial, in words; nothing if nothing did."""

    fault: Fault
    happened: bool = True
    false_claims: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)  # tracebacks, codes, silence, no end
    wrong: list[str] = field(default_factory=list)  # the run cannot go on, or ends in other bytes
    left_over: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        """What went wrong, by kind."""
        kinds = {
            "false claims": self.false_claims,
            "not explained": self.unexplained,
            "does not go on": self.wrong,
            "left over": self.left_over,
        }
        return [f"{kind}: {' | '.join(each).strip()}" for kind, each in kinds.items() if each]


@dataclass(frozen=True)
class Ended:
    """How a child ended: its code (None if it did not), its words, its answer."""

    code: int | None
    said: str
    answer: Any = None


class Laboratory:
    """Tries faults on one kind of work, each in a process and a folder of its own."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._start = folder / "start"
        self._run = folder / "run"
        self._tally = folder / "tally"
        self._sites = folder / "sites"
        folder.mkdir()

    def prepare(self) -> Sites:
        """Lay the start out and do it once without a fault; say from where each call came."""
        self._do(lambda: self._work.begin(fresh(self._run)) and None)
        if self._run.exists():
            shutil.copytree(self._run, self._start)
        ended = self._act(NONE)
        assert ended.code == 0, ended.said
        sites: Sites = json.loads(self._sites.read_text())
        healed = self._heal()
        assert not healed.said, healed.said
        self._expected, self._names, modules = healed.answer
        for name in modules:  # once, not in each process that a trial forks
            with suppress(ImportError):
                importlib.import_module(name)
        return sites

    def try_out(self, fault: Fault) -> Verdict:
        """Let it happen, look at what is claimed, go on, and compare."""
        verdict = Verdict(fault)
        ended = self._act(fault)
        if not self._tally.exists() or not (tally := Tally.read(self._tally)).faults:
            verdict.happened = False
            return verdict
        is_ended = ended.code != 0 and not fault.lasts and not self._work.reads_hints
        if is_ended and _is_hint(Path(tally.path).relative_to(self._run.resolve())):
            verdict.unexplained.append(f"a hint ended it: {tally.path}: {ended.said[-1500:]}")
        is_finding = self._work.reads_hints and ended.code == int(ExitCode.BLOCKED)
        if not is_finding and (why := _unexplained(ended)):
            verdict.unexplained.append(f"{why}: {ended.said[-1500:]}")
        verdict.false_claims += false_claims(self._run)
        if ended.code == 0 and (why := self._do(self._look).said):
            verdict.false_claims.append(f"it said that all is done: {why[-1500:]}")
        if ended.code == int(ExitCode.BLOCKED) and fault.answer != BAD_SECTOR:
            verdict.false_claims.append(f"it named damage: {ended.said[-1500:]}")
        healed = self._heal()
        if healed.said:
            verdict.wrong.append(healed.said[-1500:])
            return verdict
        result, names, _ = healed.answer
        if result != self._expected:
            verdict.wrong.append("the bytes are others than without a fault")
        verdict.false_claims += false_claims(self._run)
        verdict.left_over += sorted(set(names) - set(self._names))
        return verdict

    def _act(self, fault: Fault) -> Ended:
        fresh(self._run)
        if self._start.exists():
            shutil.copytree(self._start, self._run)
        self._tally.unlink(missing_ok=True)

        def act() -> int:
            arm(fault, self._run, self._tally)
            if fault != NONE:
                return self._work.act(self._run)
            sites = watch()
            code = self._work.act(self._run)
            self._sites.write_text(json.dumps(sites))
            return code

        return self._do(act, act_is_code=True)

    def _look(self) -> None:
        """See that what is said to be done is done, before the next session mends it."""
        damages = [str(damage) for damage in verify(RunPaths(self._run))]
        assert not damages, f"verify names {damages}"
        if self._work.finishes:
            found = _jsonable(self._work.result(self._run))
            assert found == self._expected, "the bytes are others than without a fault"

    def _heal(self) -> Ended:
        """Go on without a fault: at once, and two days later."""

        def heal() -> tuple[Any, list[str], list[str]]:
            code = self._work.go_on(self._run)
            assert code in (0, 75), f"the next session ends with {code}"
            _age(self._run)
            code = self._work.complete(self._run)
            assert code == 0, f"two days later, a session ends with {code}"
            damages = [str(damage) for damage in verify(RunPaths(self._run))]
            assert not damages, f"verify names {damages}"
            return _jsonable(self._work.result(self._run)), _names(self._run), list(sys.modules)

        return self._do(heal)

    def _do(self, what: Callable[[], Any], *, act_is_code: bool = False) -> Ended:
        """In a process of its own: what it says counts only where it fails."""
        said, answer = self._folder / "said", self._folder / "answer"
        answer.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            _child(what, said, None if act_is_code else answer)
        code = _waited_for(pid)
        words = said.read_text(errors="replace")
        if act_is_code:
            return Ended(code, words)
        if code == 0:
            return Ended(0, "", json.loads(answer.read_text()) if answer.exists() else None)
        return Ended(code, words or f"it ended with {code}")


def _child(what: Callable[[], Any], said: Path, answer: Path | None) -> None:
    code = 99
    try:
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(handle, stream)
        result = what()
        if answer is None:
            code = result
        else:
            answer.write_text(json.dumps(result))
            code = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _waited_for(pid: int) -> int | None:
    deadline_s = time.monotonic() + HANGING_S
    while time.monotonic() < deadline_s:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _is_hint(path: Path) -> bool:
    """Whether nothing is lost without it: then a disk that refuses it ends nothing."""
    first, *rest = path.parts or ("",)
    if first == "claims":  # where locks of other names exclude
        return bool(rest) and bool(SESSION.match(rest[0]) or rest[0].startswith("board."))
    return first in HINTS


def _unexplained(ended: Ended) -> str:
    if ended.code is None:
        return f"no end within {HANGING_S:.0f} s"
    if ended.code not in ALLOWED:
        return f"exit code {ended.code}"
    if "Traceback" in ended.said or "Exception ignored" in ended.said:
        return "a traceback"
    if "a defect of ptyrun" in ended.said:
        return "taken for a defect of ptyrun"
    return "" if ended.code in (0, 75) or "why:" in ended.said else f"{ended.code} without a why"


def false_claims(folder: Path) -> list[str]:
    """Commits that count and whose bytes are not on disk; read without ptyrun's ledger."""
    paths = RunPaths(folder)
    records = [record for path in sorted(paths.ledger.glob("*.jsonl")) for record in _lines(path)]
    forgotten = {(r.arm, r.chunk): r.generation for r in records if isinstance(r, Forgotten)}
    return [
        f"{record.key} is not as committed"
        for record in records
        if isinstance(record, Committed)
        and record.generation > forgotten.get((record.arm, record.chunk), -1)
        and not _is_there(paths.arrays / record.key, record)
    ]


def _lines(path: Path) -> list[Any]:
    found = []
    for line in path.read_bytes().split(b"\n"):
        try:
            found.append(decode(line))
        except BadLineError:
            continue
    return found


def _is_there(path: Path, record: Committed) -> bool:
    data = path.read_bytes() if path.exists() else b""
    return len(data) == record.length and f"{google_crc32c.value(data[:-4]):08x}" == record.crc32c


def _age(folder: Path) -> None:
    then_s = time.time() - LONG_AGO_S
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (then_s, then_s), follow_symlinks=False)


def _names(folder: Path) -> list[str]:
    """Every name below the run's folder; those of sessions stand for one."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted({SESSION.sub("SESSION", name) for name in found})


def _jsonable(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda each: each.hex()))
