from __future__ import annotations

import contextlib
import io
import os
import pickle
import tracemalloc
import zipfile
from multiprocessing import get_context
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.npz import NpzFile

VALUES = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
PICKED = np.array([3, 1, 1, 6, 0])


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("last_axis", [False, True])
def test_rows_are_those_of_the_array(save, cached, order, last_axis, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, a=np.asarray(VALUES, order=order), empty=np.zeros((0, 3)))
    file = NpzFile(path, tmp_path / "cache" if cached else None)
    frames = np.moveaxis(VALUES, -1, 0) if last_axis else VALUES
    picked = PICKED % len(frames)
    for _ in range(2):
        assert np.array_equal(file.rows("a", picked, last_axis=last_axis), frames[picked])
    assert np.array_equal(file.array("a"), VALUES)
    assert file.array("empty").shape == (0, 3)
    assert file.header("a").shape == VALUES.shape
    file.close()


@settings(max_examples=40)
@given(
    array=hnp.arrays(
        st.sampled_from([np.float32, np.uint16, np.complex128, np.bool_]),
        hnp.array_shapes(max_dims=4, max_side=5),
    ),
    compressed=st.booleans(),
)
def test_any_plain_array_comes_back(array, compressed, tmp_path_factory) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.npz"
    (np.savez_compressed if compressed else np.savez)(path, a=array)
    found = NpzFile(path).array("a")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array, equal_nan=array.dtype.kind in "fc")


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickled_string_is_read_without_unpickling(protocol: int, tmp_path: Path) -> None:
    text = '{"transformation": "é", "nested": {"numpy": 1}}'
    header = npy(np.array("x", object)).split(b"\n", 1)[0] + b"\n"
    pickled = pickle.dumps(np.array(text, object), protocol=protocol)
    file = NpzFile(archive(tmp_path / "a.npz", {"_metadata": header + pickled}))
    assert file.text("_metadata") == text


def test_a_pickle_of_millions_of_steps_takes_no_memory(tmp_path: Path) -> None:
    header = npy(np.array("x", object)).split(b"\n", 1)[0] + b"\n"
    pickled = b"\x80\x02" + b"N" * 4_000_000 + b"."
    file = NpzFile(archive(tmp_path / "a.npz", {"_metadata": header + pickled}))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="more than 1000 steps"):
            file.text("_metadata")
        assert tracemalloc.get_traced_memory()[1] < 10 * len(pickled)
    finally:
        tracemalloc.stop()


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda bomb: np.array(bomb, object),
        lambda bomb: np.array([bomb, "text"], object),
        lambda bomb: np.array({"a": bomb}, object),
        lambda bomb: np.array([["os.mkdir", bomb]], object)[0],
    ],
)
def test_no_pickle_is_ever_run(wrap, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    content = npy(wrap(Bomb(mark)))
    file = NpzFile(archive(tmp_path / "a.npz", {"_metadata": content, "diffraction": content}))
    with pytest.raises(InputError):
        file.text("_metadata")
    with pytest.raises(InputError, match="Python objects"):
        file.array("diffraction")
    with pytest.raises(InputError, match="Python objects"):
        file.rows("diffraction", np.arange(1))
    assert not mark.exists()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_bytes_give_an_error_or_the_right_array(data, tmp_path_factory) -> None:
    folder = tmp_path_factory.getbasetemp()
    mark = folder / "ran"
    clean = archive(
        folder / "clean.npz",
        {"a": npy(VALUES), "m": npy(np.array('{"a": 1}', object)), "b": npy(np.array(Bomb(mark)))},
        data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])),
    ).read_bytes()
    damaged = bytearray(clean)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(clean) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(clean))))
    path = folder / "damaged.npz"
    path.write_bytes(bytes(damaged[:cut]))
    for read in (
        lambda file: np.array_equal(file.array("a"), VALUES),
        lambda file: file.text("m") == '{"a": 1}',
        lambda file: file.array("b") is None,
    ):
        with contextlib.suppress(InputError):
            assert read(NpzFile(path))
        assert not mark.exists()


@pytest.fixture
def sparse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Zeros of 4 MiB, packed some hundred to one, where that is much."""
    monkeypatch.setattr("ptyrun.ptycho.readers.npz.BOMB_BYTES", 1 << 20)
    values = np.zeros((4, 1 << 20), np.uint8)
    values[3, 0] = 1
    np.savez_compressed(tmp_path / "a.npz", a=values)
    assert (tmp_path / "a.npz").stat().st_size < values.nbytes / 700
    return tmp_path / "a.npz"


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_is_packed_like_a_bomb_is_judged_by_its_size(
    where: str, sparse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache" if where == "disk" else None
    free = 7 << 20
    if cache is None:
        monkeypatch.setattr("ptyrun.host.memory.available_bytes", lambda: free)
    else:
        monkeypatch.setattr("ptyrun.ptycho.readers.npy_cache.NpyCache.free_bytes", free)
    with pytest.raises(InputError, match="too large") as caught:
        NpzFile(sparse, cache).rows("a", np.arange(4))
    assert where in caught.value.why
    assert not list(tmp_path.rglob("*.npy"))
    free = 9 << 20
    if cache is not None:
        monkeypatch.setattr("ptyrun.ptycho.readers.npy_cache.NpyCache.free_bytes", free)
    rows = NpzFile(sparse, cache).rows("a", np.arange(4))
    assert rows.sum() == 1
    assert rows[3, 0] == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read as an NPZ"),
        (b"PK\x03\x04 but not a zip", "cannot be read as an NPZ"),
        (npy(VALUES), "cannot be read as an NPZ"),
    ],
)
def test_what_is_no_archive_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        NpzFile(path)


def test_missing_things_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        NpzFile(tmp_path / "absent.npz")
    np.savez(tmp_path / "a.npz", first=1, second=2)
    with pytest.raises(InputError, match="first, second"):
        NpzFile(tmp_path / "a.npz").array("third")
    empty = archive(tmp_path / "empty.npz", {})
    with pytest.raises(InputError, match="holds no arrays"):
        NpzFile(empty)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", {"a": npy(VALUES)})
    with zipfile.ZipFile(path, "a") as again:
        again.writestr("a.npy", npy(VALUES[::-1]))
    with pytest.raises(InputError, match=r"the name 'a\.npy' occurs twice"):
        NpzFile(path)


def test_a_header_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    content = npy(VALUES).replace(b"(7, 5, 3)", b"(9, 5, 3)")
    with pytest.raises(InputError, match="does not fill"):
        NpzFile(archive(tmp_path / "a.npz", {"a": content})).array("a")


def test_a_damaged_cache_file_is_made_again(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.npz", tmp_path / "cache"
    np.savez_compressed(path, a=VALUES)
    NpzFile(path, cache).rows("a", PICKED)
    (cached,) = cache.iterdir()
    content = bytearray(cached.read_bytes())
    content[-1] ^= 1
    cached.write_bytes(content)
    assert np.array_equal(NpzFile(path, cache).rows("a", PICKED), VALUES[PICKED])
    cached.write_bytes(b"")
    assert np.array_equal(NpzFile(path, cache).rows("a", PICKED), VALUES[PICKED])
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_somebody_else_filled_is_not_believed(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.npz", tmp_path / "cache"
    np.savez_compressed(path, a=VALUES)
    NpzFile(path, cache).rows("a", PICKED)
    (own,) = cache.iterdir()
    poison = own.read_bytes()[: -VALUES.nbytes] + np.full_like(VALUES, 7).tobytes()
    own.unlink()
    crc = google_crc32c.extend(0, poison)
    (cache / f"{own.name.split('-')[0]}-{crc:08x}.npy").write_bytes(poison)
    assert np.array_equal(NpzFile(path, cache).rows("a", PICKED), VALUES[PICKED])


def test_a_cache_of_ones_own_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of the user"))
    path, cache = tmp_path / "a.npz", tmp_path / "cache"
    np.savez_compressed(path, a=VALUES)
    NpzFile(path, cache).rows("a", PICKED)
    (first,) = cache.iterdir()
    written = first.stat()
    NpzFile(path, cache).rows("a", PICKED)
    assert first.stat() == written
    (tmp_path / "of the user").rename(tmp_path / "of another")
    NpzFile(path, cache).rows("a", PICKED)
    assert first.stat().st_ino != written.st_ino


def test_a_changed_file_is_not_read_from_an_old_cache(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.npz", tmp_path / "cache"
    np.savez_compressed(path, a=VALUES)
    NpzFile(path, cache).rows("a", PICKED)
    np.savez_compressed(path, a=VALUES + 1)
    assert np.array_equal(NpzFile(path, cache).rows("a", PICKED), VALUES[PICKED] + 1)


def read_row(path: Path, cache: Path, expected: bytes) -> None:
    assert NpzFile(path, cache).rows("a", PICKED).tobytes() == expected


def test_processes_may_fill_one_cache_at_once(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.npz", tmp_path / "cache"
    np.savez_compressed(path, a=VALUES)
    context = get_context("fork")
    job = (path, cache, VALUES[PICKED].tobytes())
    workers = [context.Process(target=read_row, args=job) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert not list(cache.glob(".*"))


def test_a_file_cut_after_opening_is_an_error_not_a_wrong_row(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=VALUES)
    file = NpzFile(path)
    assert np.array_equal(file.rows("a", PICKED), VALUES[PICKED])
    os.truncate(path, 200)
    with pytest.raises(InputError, match="ends too early"):
        file.rows("a", np.array([6]))
    file.close()
