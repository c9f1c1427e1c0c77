"""Is a large array of an archive unpacked once, however often the process is killed at it?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.host import inflating
from ptyrun.ptycho.readers import unpacking
from ptyrun.ptycho.readers.npz import NpzFile

# Entries lie between the blocks of a stream, of some 100 KB each.
PART_BYTES = 300_000
FRAMES = np.random.default_rng(0).poisson(30, (400, 64, 64)).astype(np.uint16)
KILLED = 9
# Dies when a part is kept, after so many of them; says how many bytes were given before.
DIES = """
import os, sys
from pathlib import Path
import numpy as np
from ptyrun.ptycho.readers import npz, npy_cache, unpacking
unpacking.PART_BYTES = {part_bytes}
given, inflated = [], unpacking.inflated
def counted(*words):
    for piece, entry in inflated(*words):
        given.append(len(piece))
        yield piece, entry
unpacking.inflated = counted
left = int(sys.argv[3])
def kept():
    global left
    left -= 1
    if left == 0:
        print(sum(given), flush=True)
        os._exit({killed})
npy_cache.PART_KEPT.set(kept)
npz.NpzFile(Path(sys.argv[1]), Path(sys.argv[2])).rows("a", np.array([0]), {words})
print(sum(given))
"""


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(unpacking, "PART_BYTES", PART_BYTES)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of the user"))


def window(path: Path, cache: Path, parts: int, words: str = "") -> tuple[int, int]:
    program = DIES.format(part_bytes=PART_BYTES, killed=KILLED, words=words)
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(cache), str(parts)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, KILLED), done.stderr
    return done.returncode, int(done.stdout)


def archive(tmp_path: Path) -> tuple[Path, Path]:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=FRAMES)
    return path, tmp_path / "cache"


@pytest.mark.skipif(inflating.library() is None, reason="no library of zlib here")
def test_every_window_goes_on_where_the_last_one_was_killed(tmp_path: Path) -> None:
    path, cache = archive(tmp_path)
    size = FRAMES.nbytes + 128
    first, given = window(path, cache, 4)
    assert first == KILLED
    assert given < size / 2
    second, again = window(path, cache, 4)
    assert second == KILLED
    code, rest = window(path, cache, 1000)
    assert (code, given + again + rest) == (0, size)  # each byte once
    assert [each.suffix for each in cache.iterdir()] == [".npy"]
    found = NpzFile(path, cache).rows("a", np.arange(len(FRAMES)))
    assert np.array_equal(found, FRAMES)


def test_what_was_changed_since_is_unpacked_again(tmp_path: Path) -> None:
    path, cache = archive(tmp_path)
    window(path, cache, 4)
    (begun,) = cache.glob(".*.begun")
    with begun.open("r+b") as file:
        file.seek(1000)
        file.write(b"poison")
    assert np.array_equal(NpzFile(path, cache).rows("a", np.arange(400)), FRAMES)


def test_what_another_user_began_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = archive(tmp_path)
    window(path, cache, 4)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of another"))
    _, given = window(path, cache, 1000)
    assert given == FRAMES.nbytes + 128
    assert np.array_equal(NpzFile(path, cache).rows("a", np.arange(400)), FRAMES)


@pytest.mark.parametrize("spoil", ["not json\n", '["[0,0,0,0]", -5]\n', '["x", 9e9]\n[', "[[]]\n"])
def test_a_list_of_parts_that_means_nothing_is_not_used(spoil: str, tmp_path: Path) -> None:
    path, cache = archive(tmp_path)
    window(path, cache, 4)
    (listed,) = cache.glob(".*.parts")
    listed.write_text(spoil)
    assert np.array_equal(NpzFile(path, cache).rows("a", np.arange(400)), FRAMES)


def test_frames_along_the_last_axis_go_on_too(tmp_path: Path) -> None:
    path, cache = archive(tmp_path)
    np.savez_compressed(path, a=np.moveaxis(FRAMES, 0, -1))
    code, _ = window(path, cache, 20, "last_axis=True")
    assert code in (0, KILLED)
    found = NpzFile(path, cache).rows("a", np.arange(len(FRAMES)), last_axis=True)
    assert np.array_equal(found, FRAMES)


def test_while_another_process_is_at_it_the_array_is_unpacked_beside(tmp_path: Path) -> None:
    import fcntl

    path, cache = archive(tmp_path)
    window(path, cache, 4)
    (begun,) = cache.glob(".*.begun")
    with begun.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert np.array_equal(NpzFile(path, cache).rows("a", np.arange(400)), FRAMES)
    assert begun.exists()


def test_without_the_library_an_array_is_unpacked_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "library", lambda: None)
    path, cache = archive(tmp_path)
    assert np.array_equal(NpzFile(path, cache).rows("a", np.arange(400)), FRAMES)


def test_a_damaged_array_leaves_nothing_behind(tmp_path: Path) -> None:
    path, cache = archive(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        NpzFile(path, cache).rows("a", np.array([0]))
    assert not list(cache.glob("*"))
