from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptyrun.engine.ledger import Ledger, session_files, supersede
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.ledger_lines import read_records
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.patience import Row, fruitless, raise_if_too_short
from ptyrun.engine.progress import Progress
from ptyrun.engine.records import (
    Closed,
    Committed,
    Disregarded,
    Failed,
    Forgotten,
    Opened,
    Record,
    Started,
)
from ptyrun.engine.records import encode as encoded
from ptyrun.engine.session_ledger import SessionLedger, begin
from ptyrun.errors import (
    DamageError,
    ExitCode,
    IdentityError,
    SchemaError,
    StorageError,
    WindowTooShortError,
)
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.processes import Process
from ptyrun.paths import RunPaths
from tests.engine.toys import toy_manifest

MANIFEST = toy_manifest(80, 8)
ARM = MANIFEST.arms[0]


def commit(chunk: int, generation: int = 0, crc32c: str = "00000001") -> Committed:
    return Committed(
        arm="one",
        chunk=chunk,
        key=f"one/patches/c.{chunk}.0.0",
        length=100,
        crc32c=crc32c,
        fingerprint=ARM.fingerprint,
        attempt=1,
        seconds=0.8,
        write_s=0.01,
        warm=True,
        at_s=1.0,
        generation=generation,
    )


def failure(chunk: int, generation: int = 0) -> Failed:
    return Failed("one", chunk, 1, "ValueError: no", "Traceback", 1.0, generation)


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path)


def session(
    paths: RunPaths,
    records: Sequence[Record] = (),
    closed: Closed | None = None,
    manifest: Manifest = MANIFEST,
    process: Process | None = None,
    crew: str = "",
    budget_s: float | None = 10.0,
) -> SessionLedger:
    """Write down what one session did."""
    begun = process or Process.current()
    written = begin(open_ledger(paths, manifest), budget_s, begun, "0", crew)
    if records:
        written.append(records)
    if closed is not None:
        written.close(closed)
    return written


def window_closed(progress: int = 0, reason: str = "the window is used up") -> Closed:
    return Closed(int(ExitCode.INCOMPLETE), reason, progress, 1.0, enough_s=20.0)


def file_of(paths: RunPaths, written: SessionLedger) -> Path:
    return paths.ledger / f"{written.name}.jsonl"


def done(ledger: Ledger) -> list[int]:
    return [chunk for chunk, yes in enumerate(ledger.progress.arms["one"].committed) if yes]


def test_what_one_session_commits_the_next_one_finds(paths: RunPaths) -> None:
    session(paths, [commit(0), commit(7)])
    ledger = open_ledger(paths, MANIFEST)
    arm = ledger.progress.arms["one"]
    assert done(ledger) == [0, 7]
    assert list(arm.missing()) == [1, 2, 3, 4, 5, 6, 8, 9]
    assert arm.items_committed == 16
    assert arm.item_s == pytest.approx(0.1)
    assert arm.accepts(0, 100, 1) and not arm.accepts(0, 100, 2)


def test_the_last_chunk_counts_the_items_it_has() -> None:
    progress = Progress(toy_manifest(12, 8))
    arm = progress.arms["one"]
    record = replace(commit(1), fingerprint=arm.plan.fingerprint)
    progress.apply("s", record)
    assert arm.items_committed == 4


def test_a_torn_last_line_means_nothing(paths: RunPaths) -> None:
    path = file_of(paths, session(paths, [commit(0), commit(1)]))
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for length in range(len(whole) - len(lines[-1]), len(whole)):
        path.write_bytes(whole[:length])
        assert done(open_ledger(paths, MANIFEST)) == [0]


def test_a_torn_first_line_means_nothing(paths: RunPaths) -> None:
    path = file_of(paths, session(paths))
    path.write_bytes(path.read_bytes()[:40])
    assert done(open_ledger(paths, MANIFEST)) == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_flipped_bit_of_a_ledger_is_found_by_name(
    paths: RunPaths, data: st.DataObject
) -> None:
    if not (paths.ledger.is_dir() and any(paths.ledger.iterdir())):
        session(paths, [commit(0), commit(1)], window_closed(2))
    (path,) = paths.ledger.iterdir()
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    try:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        with pytest.raises(DamageError, match=path.stem):
            open_ledger(paths, MANIFEST)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("bit", range(8))
def test_a_last_line_whose_newline_was_changed_is_damage(paths: RunPaths, bit: int) -> None:
    session(paths, [commit(0)])
    (path,) = paths.ledger.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1 << bit]))
    with pytest.raises(DamageError, match="its end is damaged"):
        open_ledger(paths, MANIFEST)


def test_a_session_of_another_manifest_is_refused_by_name(paths: RunPaths) -> None:
    other = toy_manifest(80, 8, seed=2)
    written = session(paths, [commit(0)], manifest=other)
    with pytest.raises(IdentityError, match=written.name):
        open_ledger(paths, MANIFEST)


def test_after_an_invalidation_only_chunks_of_unchanged_arms_count(paths: RunPaths) -> None:
    old = toy_manifest(80, 8, {"one": 1.0, "two": 2.0})
    two = replace(commit(3), arm="two", fingerprint=old.arms[1].fingerprint)
    session(paths, [commit(0), two], manifest=old)
    new = toy_manifest(80, 8, {"one": 1.0, "two": 3.0})
    supersede(paths, old)
    progress = open_ledger(paths, new).progress
    assert progress.arms["one"].chunks_committed == 1
    assert progress.arms["two"].chunks_committed == 0


def test_a_newer_ledger_is_refused_by_name(paths: RunPaths) -> None:
    written = session(paths)
    newer = replace(written.opened, schema=99)
    file_of(paths, written).write_bytes(encoded(newer))
    with pytest.raises(SchemaError, match="schema 99"):
        open_ledger(paths, MANIFEST)


@given(order=st.permutations([commit(4), Forgotten("one", 4, 0, "missing"), commit(4, 1)]))
def test_what_counts_does_not_depend_on_the_order_of_sessions(order: list[Record]) -> None:
    progress = Progress(MANIFEST)
    for number, record in enumerate(order):
        progress.apply(str(number), record)
    assert progress.arms["one"].committed[4]
    assert progress.arms["one"].next_generation(4) == 1


@given(order=st.permutations([commit(4), Forgotten("one", 4, 0, "missing"), failure(4)]))
def test_a_forgotten_chunk_does_not_count_and_gets_new_attempts(order: list[Record]) -> None:
    progress = Progress(MANIFEST)
    for number, record in enumerate(order):
        progress.apply(str(number), record)
    assert not progress.arms["one"].committed[4]
    assert not progress.arms["one"].failures


def test_either_of_two_workers_bytes_is_accepted(paths: RunPaths) -> None:
    session(paths, [commit(0, crc32c="00000001")])
    session(paths, [commit(0, crc32c="00000002")])
    arm = open_ledger(paths, MANIFEST).progress.arms["one"]
    assert arm.accepts(0, 100, 1) and arm.accepts(0, 100, 2) and not arm.accepts(0, 100, 3)


def test_another_session_is_read_as_it_grows(paths: RunPaths) -> None:
    reader = open_ledger(paths, MANIFEST)
    writer = session(paths, [commit(0)])
    assert reader.refresh() and done(reader) == [0]
    assert not reader.refresh()
    writer.append([commit(1)])
    assert reader.refresh() and done(reader) == [0, 1]


def test_only_a_dead_session_is_charged_with_what_it_began(paths: RunPaths) -> None:
    started = Started("one", 2, 0, 1.0)
    gone = replace(Process.current(), pid=2**22 + 1)
    session(paths, [started], process=gone)
    session(paths, [started], window_closed())
    session(paths, [started], process=replace(gone, boot_id="the boot before"))
    session(paths, [started])  # this very process, alive
    ledger = open_ledger(paths, MANIFEST)
    arm = ledger.progress.arms["one"]
    assert ledger.attempts(arm, 2, lambda session: False) == 1


def test_a_session_that_died_after_it_committed_a_chunk_is_not_charged_with_it(
    paths: RunPaths,
) -> None:
    gone = replace(Process.current(), pid=2**22 + 1)
    session(paths, [Started("one", 2, 0, 1.0), commit(2)], process=gone)
    ledger = open_ledger(paths, MANIFEST)
    assert ledger.attempts(ledger.progress.arms["one"], 2, lambda session: False) == 0


def test_lines_about_chunks_that_the_plan_does_not_have_count_for_nothing() -> None:
    progress = Progress(MANIFEST)
    arm = progress.arms["one"]
    progress.apply("s", commit(2))
    for chunk in (-1, 10, 10**9):
        progress.apply("s", Started("one", chunk, 0, 1.0))
        progress.apply("s", failure(chunk))
        progress.apply("s", commit(chunk))
        progress.apply("s", Forgotten("one", chunk, 0, "missing"))
    assert [chunk for chunk, yes in enumerate(arm.committed) if yes] == [2]
    assert not arm.failures and not arm.open_starts and not arm.forgotten


def test_a_session_s_first_chunk_counts_for_the_rate_only_while_there_is_no_other() -> None:
    progress = Progress(MANIFEST)
    arm = progress.arms["one"]
    progress.apply("s", replace(commit(0), seconds=80.0, warm=False))
    assert arm.item_s == pytest.approx(10.0)
    progress.apply("s", commit(1))
    assert arm.item_s == pytest.approx(0.1)


def test_a_damaged_first_line_is_one_damage_whatever_its_session_still_writes(
    paths: RunPaths,
) -> None:
    written = session(paths, [commit(0)])
    path = file_of(paths, written)
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    ledger = Ledger(paths, MANIFEST)
    ledger.refresh()
    (bad,) = ledger.bad_lines()
    assert bad.offset == 0
    begin(ledger, None, Process.current(), "0").append([Disregarded(*bad.identity)])
    written.append([commit(1)])
    assert done(open_ledger(paths, MANIFEST)) == [], "whose lines these are is not known"


def test_windows_without_progress_are_counted_in_a_row(paths: RunPaths) -> None:
    def row() -> int:
        return fruitless(open_ledger(paths, MANIFEST), 10.0).windows

    session(paths, closed=window_closed())
    assert row() == 1
    session(paths, [commit(0)], window_closed(1))
    assert row() == 0
    session(paths, closed=window_closed())
    session(paths)  # killed
    session(paths, closed=window_closed(reason="interrupted"))
    session(paths, closed=window_closed(reason="received SIGTERM"))
    session(paths, closed=Closed(int(ExitCode.FAILED), "StorageError", 0, 1.0))
    session(paths, closed=window_closed())
    assert row() == 2
    session(paths, closed=window_closed(progress=3))  # another worker committed meanwhile
    assert row() == 0


def test_a_longer_window_than_those_in_vain_begins_the_count_anew(paths: RunPaths) -> None:
    for budget_s in (10.0, 30.0, 10.0):
        session(paths, closed=window_closed(), budget_s=budget_s)
    ledger = open_ledger(paths, MANIFEST)
    rows = {budget_s: fruitless(ledger, budget_s).windows for budget_s in (10.0, 10.1, 30.0, 31.0)}
    assert rows == {10.0: 3, 10.1: 1, 30.0: 1, 31.0: 0}
    enough_s = fruitless(ledger, 10.0).enough_s
    assert enough_s is not None and enough_s > 30, "the longest of them was too short"
    assert fruitless(ledger, None).windows == 3


def test_a_crew_without_progress_counts_as_one_window_once_it_is_over(paths: RunPaths) -> None:
    for crew in ("first", "first", "second", "second"):
        session(paths, closed=window_closed(), crew=crew)
    ledger = open_ledger(paths, MANIFEST)
    assert fruitless(ledger).windows == 2
    begin(ledger, None, Process.current(), "0", "second")
    assert fruitless(ledger).windows == 1, "its own window is not over"
    session(paths, [commit(0)], window_closed(), crew="third")
    session(paths, closed=window_closed(), crew="third")
    assert fruitless(open_ledger(paths, MANIFEST)).windows == 1
    session(paths, [commit(1)], crew="third")
    assert fruitless(open_ledger(paths, MANIFEST)).windows == 0


def test_windows_that_never_reached_the_run_count_with_the_one_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for before in range(2):
        monkeypatch.setattr(ATTEMPTS, "before", before)
        raise_if_too_short(Row(), "no time", 20.0)
    monkeypatch.setattr(ATTEMPTS, "before", 2)
    with pytest.raises(WindowTooShortError, match="3 windows in a row") as refused:
        raise_if_too_short(Row(1, "no time", 30.0), "no time", 20.0)
    assert refused.value.enough_s == 30.0


def test_sessions_are_ordered_without_a_clock(paths: RunPaths) -> None:
    names = [session(paths).name for _ in range(3)]
    assert names == sorted(names)
    opened = [record for _, record in read_records(paths) if isinstance(record, Opened)]
    assert [each.sequence for each in opened] == [1, 2, 3]


def test_reading_every_line_passes_damaged_ones_by(paths: RunPaths) -> None:
    path = file_of(paths, session(paths, [commit(0), commit(1)]))
    path.write_bytes(path.read_bytes().replace(b'"chunk":0', b'"chunk":5'))
    kinds = [type(record).__name__ for _, record in read_records(paths)]
    assert kinds == ["Opened", "Committed"]


def test_ten_thousand_commits_load_quickly_and_without_numpy(tmp_path: Path) -> None:
    manifest = toy_manifest(10_000, 1)
    manifest.save(RunPaths(tmp_path).manifest)
    arm = manifest.arms[0]
    lines = [
        replace(commit(chunk), fingerprint=arm.fingerprint, stats={"mean": 0.5, "max": 1.25})
        for chunk in range(10_000)
    ]
    session(RunPaths(tmp_path), lines, manifest=manifest)
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from ptyrun.engine.ledger_cache import open_ledger\n"
        "from ptyrun.engine.manifest import Manifest\n"
        "from ptyrun.paths import RunPaths\n"
        "paths = RunPaths(Path(sys.argv[1]))\n"
        "began = time.process_time()\n"
        "ledger = open_ledger(paths, Manifest.load(paths.manifest))\n"
        "print(time.process_time() - began, ledger.progress.chunks_committed)\n"
        "assert not {'numpy', 'zarr', 'filelock'} & set(sys.modules), sorted(sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    cpu_s, chunks = ran.stdout.split()
    assert int(chunks) == 10_000
    assert float(cpu_s) < 0.6, "0.12 s on a quiet machine"


def test_a_file_in_the_place_of_the_ledger_is_named_and_below_a_file_there_is_no_run(
    tmp_path: Path,
) -> None:
    for name in ("run/ledger", "file"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(StorageError, match="a file stands where a folder must be"):
        session_files(RunPaths(tmp_path / "run"))
    for name in ("file", "file/run"):
        assert session_files(RunPaths(tmp_path / name)) == []
