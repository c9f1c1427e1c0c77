"""A sample of what `make fuzz` does, and: does it notice what it is there for?"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import scans
from tests.fuzz.bait import HOW, Bait
from tests.fuzz.child import trial
from tests.fuzz.crew import Member
from tests.fuzz.kinds import Kind
from tests.fuzz.mutation import bytes_of, json_of
from tests.fuzz.table import KINDS

SAMPLE = {"manifest": 5, "ledger": 6, "results": 3, "process": 4, "completion": 2, "arrays": 3,
          "hints": 2, "study": 6, "summaries": 5, "npz": 5, "hdf5": 1}  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("fuzz")
    scans.install(work / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(work / "site"))
        for kind in SAMPLE:
            KINDS[kind].make(work / "samples")
    return work


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_spoilt_files_ends_in_words(
    work: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(work / "site"))
    kind = KINDS[name](work / "samples", work / "places" / name)
    kind.renew()
    assert all(kind.is_good(said) for said in kind.read(random.Random(0))), "a good one is read"
    found = [trial(kind, 7, number) for number in range(SAMPLE[name])]
    assert found == [[]] * SAMPLE[name]


def test_equal_numbers_spoil_equally_and_nearly_every_one_spoils() -> None:
    document = {"a": [1, 2.5, "text"], "b": {"c": None, "d": True}}
    data = json.dumps(document).encode()
    changed = [json_of(random.Random(seed), document) for seed in range(200)]
    assert changed == [json_of(random.Random(seed), document) for seed in range(200)]
    assert sum(each != document for each in changed) > 150
    assert sum(bytes_of(random.Random(seed), data) != data for seed in range(200)) > 180


NOTICED = {
    "raises": "a defect of ptyrun",
    "ends otherwise": "exit code 9",
    "dies": "SIGSEGV",
    "hangs": "CPU time",
    "swells": "of memory",
}


QUICK = ("raises", "dies", "hangs")
SLOW = [pytest.param(each, marks=pytest.mark.slow) for each in HOW if each not in QUICK]


@pytest.mark.parametrize("how", [*QUICK, *SLOW])
def test_what_raises_hangs_dies_or_swells_is_noticed(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.crew.CPU_S", 1.0)
    monkeypatch.setattr("tests.fuzz.crew.RSS_BYTES", 1 << 30)
    Bait.make(tmp_path / "samples")
    number = next(n for n in range(1000) if _does(n) == how)
    member = Member(tmp_path, "tests.fuzz.bait:Bait", 0)
    try:
        found = member.try_out(number).found
        afterwards = member.try_out(next(n for n in range(1000) if _does(n) == "well"))
    finally:
        member.end()
        member.place.cleanup()
    assert (NOTICED[how] in found[0]) if how in NOTICED else found == ()
    assert afterwards.found == (), "and the next trial has a process again"


def _does(number: int) -> str:
    return HOW[random.Random(f"0:bait:{number}").randrange(len(HOW))]


@pytest.mark.slow
def test_the_command_goes_on_where_it_was_and_says_what_it_did(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]

    def fuzz(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.fuzz", "--kind=process", "--seed=12345", *words],
            cwd=root, env={**os.environ}, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    first = fuzz("--cases=4", "--again")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "process: 4 tried" in first.stdout
    more = fuzz("--cases=6")
    assert "process: 2 tried" in more.stdout
    assert "in all: 6 spoilt files, 0 not explained" in more.stdout


def test_every_kind_has_a_name_of_its_own() -> None:
    assert all(issubclass(kind, Kind) and name == kind.NAME for name, kind in KINDS.items())
