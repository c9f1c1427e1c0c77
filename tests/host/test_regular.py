"""Is a file of a foreign folder read only if it is one?"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ptyrun.errors import ForeignFileError
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
