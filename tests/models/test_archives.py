from __future__ import annotations

import stat
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptyrun.errors import ModelError
from ptyrun.models.archives import SafeArchive


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], compressed: bool = False) -> bytes:
    buffer = BytesIO()
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as new:
        for name, data in members:
            new.writestr(name, data)
    return buffer.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_members_are_read_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archive(("one", b"1"), ("folder/two", b"22"), compressed=True))
    with SafeArchive(path, "a.zip") as opened:
        assert opened.names() == ("one", "folder/two")
        assert opened.read("folder/two") == b"22"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../outside", "leaves the folder"),
        ("inside/../../outside", "leaves the folder"),
        ("/etc/passwd", "leaves the folder"),
        ("C:outside", "colon"),
        ("..\\outside", "backslash"),
        (link("link"), "symbolic link"),
    ],
)
def test_a_member_that_could_leave_the_folder_is_refused_by_name(
    name: str | zipfile.ZipInfo, said: str
) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        SafeArchive(archive(("good", b""), (name, b"")), "a.zip")
    shown = name if isinstance(name, str) else name.filename
    assert repr(shown) in str(caught.value)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = archive(("bomb", bytes(64 << 20)), compressed=True)
    assert len(bomb) < 1 << 20
    with pytest.raises(ModelError, match="'bomb'(.|\n)*zip bomb"):  # noqa: RUF043
        SafeArchive(bomb, "a.zip")


def test_a_member_larger_than_expected_is_refused() -> None:
    with (
        SafeArchive(archive(("big", bytes(1000))), "a.zip") as opened,
        pytest.raises(ModelError, match="big would take 1000 bytes"),
    ):
        opened.read("big", max_bytes=999)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ModelError, match="'one'(.|\n)*twice"):  # noqa: RUF043
        SafeArchive(archive(("one", b"1"), ("one", b"2")), "a.zip")


def test_a_missing_member_is_named_with_those_present() -> None:
    with (
        SafeArchive(archive(("one", b"")), "a.zip") as opened,
        pytest.raises(ModelError, match=r"lacks two(.|\n)*one"),
    ):
        opened.read("two")


WHOLE = archive(("one", b"1" * 500), ("two", bytes(range(256)) * 4), compressed=True)


@given(length=st.integers(0, len(WHOLE) - 1))
def test_a_truncated_archive_is_refused(length: int) -> None:
    with pytest.raises(ModelError, match=r"a\.zip is refused"):
        SafeArchive(WHOLE[:length], "a.zip")


@given(at=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
@settings(max_examples=200)
def test_a_flipped_bit_never_gives_a_member_other_content(at: int, bit: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= 1 << bit
    try:
        with SafeArchive(bytes(damaged), "a.zip") as opened:
            content = {name: opened.read(name) for name in opened.names()}
    except ModelError:
        return
    # A damaged directory may lose or rename a member: its reader misses it by name.
    assert set(content.values()) <= {bytes(range(256)) * 4, b"1" * 500}
