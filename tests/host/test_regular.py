"""Is a file of a foreign folder read only if it is one?"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ptyrun.errors import ForeignFileError
from ptyrun.host import checksums, regular
from ptyrun.host.regular import below, read_regular


def make_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(place.parent)  # a socket's path is short
        try:
            listener.bind(place.name)
        finally:
            os.chdir(before)


MAKE: dict[str, Callable[[Path], object]] = {
    "FIFO": os.mkfifo,
    "symbolic link": lambda place: place.symlink_to("/etc/hostname"),
    "socket": make_socket,
    "folder": Path.mkdir,
}


@pytest.mark.parametrize("kind", MAKE)
def test_what_is_no_regular_file_is_refused_at_once_by_its_kind(tmp_path: Path, kind: str) -> None:
    MAKE[kind](tmp_path / "it")
    with pytest.raises(ForeignFileError, match=kind):
        read_regular(tmp_path / "it", 100)


def test_a_device_is_refused() -> None:
    with pytest.raises(ForeignFileError, match="a device"):
        read_regular(Path("/dev/zero"), 100)


def test_a_file_is_read_up_to_its_bound_and_not_beyond(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"x" * 100)
    assert read_regular(tmp_path / "it", 100) == b"x" * 100
    with pytest.raises(ForeignFileError, match="more than 99 bytes"):
        read_regular(tmp_path / "it", 99)


def test_a_file_asks_for_its_own_memory_not_for_that_of_its_bound(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"x" * 100)
    child = (
        "import resource, sys; from pathlib import Path; from ptyrun.host.regular import *\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "assert len(read_regular(Path(sys.argv[1]), 2**34)) == 100"
    )
    words = [sys.executable, "-c", child, str(tmp_path / "it")]
    assert subprocess.run(words, timeout=300, check=False).returncode == 0


def test_a_file_that_grows_while_it_is_read_is_read_whole_or_known_as_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "it").write_bytes(b"x" * 100)
    smaller = os.stat_result([stat.S_IFREG, 0, 0, 1, 0, 0, 10, 0, 0, 0])
    monkeypatch.setattr(os, "fstat", lambda _: smaller)  # as it was a moment before
    assert read_regular(tmp_path / "it", 100) == b"x" * 100
    with pytest.raises(ForeignFileError, match="more than 99 bytes"):
        read_regular(tmp_path / "it", 99)


def test_what_is_not_there_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "it", 99)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", ".", "link/x", "a\0b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(ForeignFileError):
        below(tmp_path, name)


def test_a_name_below_the_folder_is_its_path(tmp_path: Path) -> None:
    assert below(tmp_path, "a/b.csv") == tmp_path / "a" / "b.csv"


HAS_HOLES = hasattr(os, "SEEK_DATA")


@pytest.mark.skipif(not HAS_HOLES, reason="this system does not tell of holes")
@pytest.mark.parametrize("begins", [b"", b"data"])
def test_a_file_of_holes_is_not_digested(begins: bytes, tmp_path: Path) -> None:
    path = tmp_path / "hollow"
    with path.open("wb") as file:
        file.write(begins)
        file.truncate(1 << 40)
    with path.open("rb") as file:
        try:
            if os.lseek(file.fileno(), 1 << 30, os.SEEK_DATA) == 1 << 30:
                pytest.skip("this file system does not tell of holes")
        except OSError:
            pass  # there is no data: it does
    with pytest.raises(ForeignFileError, match="hollow consists of holes"):
        checksums.file_sha256(path)


def test_a_file_with_some_holes_is_digested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regular, "HOLLOW_BYTES", 1 << 16)
    content = bytes(1 << 20) + os.urandom(1 << 16) + bytes(1 << 20)
    path = tmp_path / "some"
    with path.open("wb") as file:
        file.seek(1 << 20)
        file.write(content[1 << 20 : (1 << 20) + (1 << 16)])
        file.truncate(len(content))
    assert checksums.file_sha256(path) == hashlib.sha256(content).hexdigest()
