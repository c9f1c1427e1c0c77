"""Is a limit that a shell, a queue or a container sets named as what it is?"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scans import write_reconstruction, write_scan

PTYRUN = (sys.executable, "-m", "ptyrun")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="these limits are Linux's")


def under(
    first: str, *words: str | Path, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run ptyrun in a shell that does *first* before."""
    shell = [*before, "bash", "-c", f'{first} && exec "$@"', "bash"]
    return subprocess.run(
        [*shell, *PTYRUN, *map(str, words)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def comparison(folder: Path) -> tuple[str | Path, ...]:
    return (
        "compare",
        f"--test-data={write_scan(folder / 'scan.npz')}",
        f"--output-dir={folder / 'run'}",
        f"--arm=name=a,reconstruction={write_reconstruction(folder / 'a.npz')}",
        f"--arm=name=b,reconstruction={write_reconstruction(folder / 'b.npz', seed=4)}",
    )


@on_linux
def test_too_little_address_space_is_named_before_libraries_hang_in_it(tmp_path: Path) -> None:
    ended = under("ulimit -v 300000", *comparison(tmp_path))
    assert ended.returncode == 1
    assert "error: 292 MiB of address space are too few" in ended.stderr
    assert "ulimit -v" in ended.stderr
    assert not (tmp_path / "run").exists()


@on_linux
@pytest.mark.parametrize("blocks", [1, 6])
def test_a_limit_of_the_size_of_files_is_named(blocks: int, tmp_path: Path) -> None:
    ended = under(f"ulimit -f {blocks}", *comparison(tmp_path))
    assert ended.returncode in (1, 2)
    assert "the file would be larger than is allowed" in ended.stderr
    assert "raise `ulimit -f`" in ended.stderr


@on_linux
def test_a_place_without_proc_is_named_and_nothing_is_thought_dead(tmp_path: Path) -> None:
    unshare = ("unshare", "--mount")
    hidden = "mount -t tmpfs none /proc"
    if not shutil.which("unshare") or under(hidden, "--version", before=unshare).returncode:
        pytest.skip("this place lets nobody hide /proc")
    ended = under(hidden, *comparison(tmp_path), before=unshare)
    assert ended.returncode == 1
    assert "/proc shows which processes are alive" in ended.stderr
    told = under(hidden, "doctor", tmp_path, before=unshare)
    assert told.returncode == 0
    assert "not known: /proc" in told.stdout
