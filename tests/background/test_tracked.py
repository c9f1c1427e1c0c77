"""Is a process told apart from every other: a reused PID, another host, a reboot, the dead?"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.comparison.completion import Completion
from ptyrun.comparison.counts import Counts
from ptyrun.comparison.tracked import TrackedProcess
from ptyrun.errors import NewerError, SchemaError
from ptyrun.host.documents import sealed, unsealed
from ptyrun.host.processes import Process, Standing, pid_namespace

# Prints what became of the process that the file names.
JUDGE = """
import sys
from pathlib import Path
from ptyrun.comparison.tracked import TrackedProcess
judgement = TrackedProcess.load(Path(sys.argv[1])).observe()
print(judgement.standing.name, judgement.words)
"""
# In a PID namespace of its own: a process dies, and the kernel gives its PID to another one.
REUSE = """
import os, subprocess, sys, time
from pathlib import Path
from tests.background.test_tracked import tracked
path = Path(sys.argv[1])
first = subprocess.Popen(["sleep", "600"])
tracked(first.pid).save(path)
assert tracked(first.pid).observe().standing.name == "ALIVE"
first.kill()
first.wait()
time.sleep(0.2)
Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
second = subprocess.Popen(["sleep", "601"])
assert second.pid == first.pid, (first.pid, second.pid)
while not Path(f"/proc/{second.pid}/cmdline").read_bytes():
    time.sleep(0.01)  # its words are there a moment after its program
sys.argv = ["judge", str(path)]
try:
    exec(sys.stdin.read())
finally:
    second.kill()
"""


def tracked(pid: int) -> TrackedProcess:
    """What a session with that PID would say of itself."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    here = Process.current()
    return TrackedProcess(
        session="5e55",
        host=here.host,
        boot_id=here.boot_id,
        pid=pid,
        process_started_s=float(stat[19]) / os.sysconf("SC_CLK_TCK"),
        pid_namespace=pid_namespace(),
        argv=("ptyrun", "start"),
        log="logs/background.log",
        manifest_digest="d" * 64,
        started_at="2025-01-01T00:00:00+00:00",
    )


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def unshared(flags: Sequence[str], words: Sequence[str | Path], code: str = "") -> str:
    """Run Python in new namespaces, as a container does; what it prints."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, *flags, "true"], capture_output=True).returncode:
        pytest.skip(f"new namespaces ({' '.join(flags)}) are not allowed here")
    done = subprocess.run(
        [unshare, *flags, sys.executable, "-c", *map(str, words)],
        input=code,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_living_process_is_alive(sleeper: subprocess.Popen[bytes]) -> None:
    assert tracked(sleeper.pid).observe().standing is Standing.ALIVE


def test_a_stopped_process_is_alive(sleeper: subprocess.Popen[bytes]) -> None:
    os.kill(sleeper.pid, 19)
    assert tracked(sleeper.pid).observe().standing is Standing.ALIVE


def test_a_killed_process_is_gone_collected_or_not(sleeper: subprocess.Popen[bytes]) -> None:
    who = tracked(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert who.observe().standing is Standing.GONE
    sleeper.wait()
    assert who.observe().standing is Standing.GONE
    assert f"no process has PID {sleeper.pid}" in who.observe().words


def test_a_process_of_another_age_has_the_pid_by_reuse(sleeper: subprocess.Popen[bytes]) -> None:
    who = tracked(sleeper.pid)
    earlier = dataclasses.replace(who, process_started_s=who.process_started_s - 3600)
    judgement = earlier.observe()
    assert judgement.standing is Standing.REUSED
    assert "sleep 600" in judgement.words


def test_a_pid_that_the_kernel_gave_to_another_process_is_told_apart(tmp_path: Path) -> None:
    flags = ["--pid", "--fork", "--mount-proc"]
    said = unshared(flags, [REUSE, tmp_path / "process.json"], JUDGE)
    assert said.startswith("REUSED")
    assert "sleep 601" in said


def test_another_host_is_named(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    tracked(sleeper.pid).save(tmp_path / "process.json")
    elsewhere = (
        "import socket, sys; socket.sethostname('far-away');"
        "assert socket.gethostname() == 'far-away'; exec(sys.stdin.read())"
    )
    said = unshared(["--uts"], [elsewhere, tmp_path / "process.json"], JUDGE)
    assert said.startswith("ELSEWHERE")
    assert tracked(sleeper.pid).host in said


def test_another_container_on_this_host_is_named(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    tracked(sleeper.pid).save(tmp_path / "process.json")
    flags = ["--pid", "--fork", "--mount-proc"]
    said = unshared(flags, [JUDGE, tmp_path / "process.json"])
    assert said.startswith("ELSEWHERE")
    assert "container" in said


def test_a_reboot_is_named(sleeper: subprocess.Popen[bytes]) -> None:
    who = dataclasses.replace(tracked(sleeper.pid), boot_id="another boot")
    judgement = who.observe()
    assert judgement.standing is Standing.REBOOTED
    assert "started again" in judgement.words


texts = st.text(max_size=8)
plain = st.sampled_from(["", "2026-01-01T00:00:00+00:00", "a host", "größe"])
counts = st.builds(Counts, *[st.integers(0, 10**9)] * 4)
NO_COUNTS: tuple[object, ...] = ({}, [], {"groups_total": "1"})


@given(
    st.builds(
        TrackedProcess,
        session=st.text("0123456789abcdef", min_size=1, max_size=32),
        pid=st.integers(1, 2**22),
        process_started_s=st.floats(0, 1e9),
        argv=st.lists(texts, max_size=3).map(tuple),
        log=st.sampled_from(["", "logs/background-1.log"]),
        exit_code=st.none() | st.integers(-64, 255),
        windows=st.integers(0, 2**53),
        **dict.fromkeys(("host", "started_at", "ended_at"), plain),
        reason=texts,
        evidence=st.sampled_from(["", "blocked/1-zero.md"]),
        counts=st.none() | counts,
    )
)
def test_a_process_document_reads_back_as_it_was_written(who: TrackedProcess) -> None:
    assert TrackedProcess.from_json(who.to_json()) == who


@given(
    st.builds(
        Completion,
        exit_code=st.integers(0, 255),
        evidence=st.sampled_from(["", "blocked/1-zero.md"]),
        windows=st.integers(0, 2**53),
        counts=st.none() | counts,
        artifacts=st.dictionaries(texts, st.just("0" * 64), max_size=3),
        **dict.fromkeys(("session", "started_at", "finished_at"), plain),
    )
)
def test_a_completion_reads_back_as_it_was_written(completion: Completion) -> None:
    assert Completion.from_json(completion.to_json()) == completion


@pytest.mark.parametrize("kind", [TrackedProcess, Completion])
@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "NaN", '{"schema": 1}', '{"schema": "x"}', "[" * 10**5, '{"a":' * 10**5],
)
def test_what_is_no_such_document_is_refused_by_name(
    kind: type[TrackedProcess | Completion], text: str
) -> None:
    with pytest.raises(SchemaError, match=r"this is not a valid (process|completion)\.json"):
        kind.from_json(text)


def test_a_newer_document_is_refused_by_name(sleeper: subprocess.Popen[bytes]) -> None:
    document = unsealed(tracked(sleeper.pid).to_json()) | {"new": 1}
    with pytest.raises(NewerError, match=r"process\.json has schema 3"):
        TrackedProcess.from_json(sealed(document | {"schema": 3}))
    with pytest.raises(NewerError, match=r"process\.json was written by a newer ptyrun"):
        TrackedProcess.from_json(sealed(document))


def test_a_document_of_the_first_schema_has_no_ending(sleeper: subprocess.Popen[bytes]) -> None:
    who = tracked(sleeper.pid)
    document = unsealed(who.to_json()) | {"schema": 1}
    for added in ("ended_at", "exit_code", "reason", "evidence", "counts", "windows"):
        del document[added]
    assert TrackedProcess.from_json(sealed(document)) == who
    assert who.ending is None


@pytest.mark.parametrize(
    "change",
    [
        *[{"log": log} for log in ("/etc/hostname", "../x", "logs/../x", "logs/a/b", "logs/.x", 3)],
        *[{"evidence": name} for name in ("/etc/hostname", "blocked/../../x", "manifest.json")],
        *[{"pid": pid} for pid in (0, -1, "1", 2**40, True, None)],
        *[{"session": name} for name in ("", "../x", "x" * 99, None)],
        *[{"process_started_s": when} for when in ("now", None)],
        *[{"argv": words} for words in ("ptyrun", [1], None)],
        *[{"counts": counts} for counts in [*NO_COUNTS]],
        *[{"exit_code": code} for code in ("0", 0.5)],
    ],
    ids=repr,
)
def test_a_process_document_with_other_types_or_paths_is_refused(
    change: dict[str, object], sleeper: subprocess.Popen[bytes]
) -> None:
    document = unsealed(tracked(sleeper.pid).to_json()) | change
    with pytest.raises(SchemaError, match=r"this is not a valid process\.json"):
        TrackedProcess.from_json(sealed(document))


@pytest.mark.parametrize("kind", [TrackedProcess, Completion])
def test_an_edited_document_is_refused(
    kind: type[TrackedProcess | Completion], sleeper: subprocess.Popen[bytes]
) -> None:
    text = tracked(sleeper.pid).to_json()
    for edited in (text.replace('"pid": ', '"pid": 1'), text.replace("\n}", "\n }")):
        with pytest.raises(SchemaError, match="does not match"):
            kind.from_json(edited)


@pytest.mark.parametrize("kind", [TrackedProcess, Completion, Counts])
def test_the_format_document_names_every_field(kind: type) -> None:
    docs = Path(__file__).resolve().parents[2] / "docs" / "format.md"
    text = docs.read_text(encoding="utf-8")
    assert not [each.name for each in dataclasses.fields(kind) if f"`{each.name}`" not in text]
