"""Does a finished run in a bucket say what the folder says, and is only fetched what is shown?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ptyrun as door
from ptyrun.comparison.published import Published
from ptyrun.door.published import PublishedRun
from ptyrun.errors import DamageError, InputError, StorageError
from ptyrun.host.bucket import Bucket
from tests.buckets import Server, s3, server
from tests.paced import Bench, finished, inputs
from tests.studies import ptyrun

__all__ = ["finished", "inputs", "s3", "server"]


@pytest.fixture
def run_dir(finished: Bench, tmp_path: Path) -> Path:
    """A complete run of this test's own."""
    return Path(shutil.copytree(finished.run, tmp_path / "run"))


def test_a_run_in_a_bucket_says_what_the_folder_says(
    s3: str, server: Server, run_dir: Path, tmp_path: Path
) -> None:
    done = ptyrun("export", str(run_dir), "--output", s3)
    assert (done.returncode, done.stdout.strip()) == (0, s3), done.stderr
    before = len(server.fetched())
    here, there = (ptyrun("status", str(place), "--json") for place in (run_dir, s3))
    assert there.returncode == 0, there.stderr
    assert json.loads(here.stdout) == json.loads(there.stdout)
    assert len(server.fetched()) == before + 1, "of a status, the marker alone is fetched"
    page = ptyrun("report", s3, "--output", str(tmp_path / "page"))
    assert page.returncode == 0, page.stderr
    assert Path(page.stdout.strip()).read_bytes() == (run_dir / "report/index.html").read_bytes()
    assert not [name for name in server.fetched() if ".zarr" in name]
    opened: Any = door.open_run(s3)
    folder = door.open_run(run_dir)
    assert isinstance(opened, PublishedRun)
    assert opened.arms == folder.arms
    assert len(opened.metrics) == len(folder.metrics)
    for arm in folder.arms:
        assert np.array_equal(opened.object(arm).values, folder.object(arm).values, equal_nan=True)
        assert opened.object(arm).coords.keys() == {"y", "x"}
    assert not [name for name in server.fetched() if "patches" in name]
    few = opened.patches("pinn").data[:1]
    assert np.array_equal(few, folder.patches("pinn").values[:1], equal_nan=True)
    chunks = [name for name in server.fetched() if "patches/c" in name]
    assert len(chunks) == 1, "one patch takes one chunk"


def test_what_was_not_published_to_its_end_is_no_run(s3: str, run_dir: Path) -> None:
    assert ptyrun("export", str(run_dir), "--output", s3).returncode == 0
    Bucket(s3).delete(Published.NAME)
    said = ptyrun("status", s3)
    assert said.returncode == 2, said.stderr
    assert f"{s3}/published.json is not there" in said.stderr
    with pytest.raises(InputError):
        door.open_run(s3)
    assert ptyrun("export", str(run_dir), "--output", s3).returncode == 0, "and can be completed"


def test_publishing_again_is_nothing_and_something_else_is_refused(
    s3: str, run_dir: Path, tmp_path: Path
) -> None:
    words = ("--output", s3)
    for _ in range(2):
        assert ptyrun("export", str(run_dir), *words).returncode == 0
    (run_dir / "note.txt").write_text("one file more")
    refused = ptyrun("export", str(run_dir), *words)
    assert refused.returncode == 2, refused.stderr
    assert "--overwrite" in refused.stderr
    assert ptyrun("export", str(run_dir), *words, "--overwrite").returncode == 0
    (run_dir / "note.txt").unlink()
    assert ptyrun("export", str(run_dir), *words, "--overwrite").returncode == 0
    with pytest.raises(InputError):
        Bucket(s3).get("note.txt", 100)


def test_an_object_that_was_exchanged_is_named(s3: str, run_dir: Path) -> None:
    assert ptyrun("export", str(run_dir), "--output", s3).returncode == 0
    Bucket(s3).put("results.json", (run_dir / "results.json").read_bytes().replace(b"1", b"2"))
    with pytest.raises(DamageError, match=r"results\.json is damaged"):
        _ = door.open_run(s3).arms
    Bucket(s3).put(Published.NAME, b"{}")
    said = ptyrun("status", s3)
    assert said.returncode == 2
    assert "Traceback" not in said.stderr


def test_an_unfinished_run_and_a_damaged_one_are_not_published(s3: str, run_dir: Path) -> None:
    chunk = next((run_dir / "arrays.zarr/pinn/patches").glob("c*"))
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-1])
    assert ptyrun("export", str(run_dir), "--output", s3).returncode in {1, 3}
    chunk.write_bytes(whole)
    (run_dir / "results.json").unlink()
    assert ptyrun("export", str(run_dir), "--output", s3).returncode == 75
    with pytest.raises(InputError):
        Published.read(Bucket(s3))


@pytest.mark.parametrize("place", ["s3://", "s3://bucket", "s3://bucket/"])
def test_a_place_without_a_prefix_is_refused(place: str, run_dir: Path) -> None:
    done = ptyrun("export", str(run_dir), "--output", place)
    assert done.returncode == 2, done.stderr
    assert "s3://BUCKET/PREFIX" in done.stderr


def test_a_bucket_that_is_not_there_or_does_not_answer_is_told_in_few_words(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"is not there\n.*there is no such bucket"):
        door.open_run("s3://nowhere/run")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match="cannot be reached") as refused:
        door.open_run(s3)
    assert "127.0.0.1:1" in refused.value.why
    assert "Debug" not in refused.value.why
