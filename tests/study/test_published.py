"""Does a finished study in a bucket say what the hub says, and are its runs runs there?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import ptyrun as door
from ptyrun.errors import DamageError, UsageError
from ptyrun.host.bucket import Bucket
from ptyrun.study import identity
from ptyrun.study.published import PublishedStudy, published_at
from tests.buckets import Server, s3, server
from tests.paced import Bench, finished, inputs
from tests.studies import ptyrun
from tests.study.hubs import done, small_study

__all__ = ["finished", "inputs", "s3", "server"]
RUN = "analysis/dose_1000/dense/train"


@pytest.fixture
def hub(finished: Bench, tmp_path: Path) -> Path:
    """A complete study of data and views, with a finished run beside."""
    study = small_study(tmp_path / "study")
    done(study)
    identity.keep(study.options, study.hub)
    shutil.copytree(finished.run, study.hub.root / RUN)
    return study.hub.root


@pytest.mark.slow
def test_a_study_in_a_bucket_says_what_the_hub_says_and_its_runs_open(
    s3: str, server: Server, hub: Path, tmp_path: Path
) -> None:
    published = ptyrun("export", str(hub), "--output", s3)
    assert (published.returncode, published.stdout.strip()) == (0, s3), published.stderr
    before = len(server.fetched())
    here = ptyrun("study", "status", "--hub", str(hub), "--json")
    there = ptyrun("status", s3, "--json")
    assert json.loads(there.stdout) == json.loads(here.stdout)
    assert {name.rpartition("/")[2] for name in server.fetched()[before:]} == {"published.json"}
    assert f"{s3}/{RUN}" in ptyrun("status", s3).stdout
    with pytest.raises(UsageError, match="is a study"):
        door.open_run(s3)
    run, copy = door.open_run(hub / RUN), door.open_run(f"{s3}/{RUN}")
    np.testing.assert_array_equal(copy.object("pinn").values, run.object("pinn").values)
    page = ptyrun("report", s3, "--output", str(tmp_path / "pages"))
    assert page.returncode == 0, page.stderr
    for name in (f"{RUN}/report/index.html", "study.json"):
        assert (tmp_path / "pages" / name).read_bytes() == (hub / name).read_bytes()
    assert not [*(tmp_path / "pages").rglob("*.npz")], "data stay where they are"
    again = ptyrun("report", s3, "--output", str(tmp_path / "pages"))
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.slow
def test_a_study_that_is_not_complete_or_not_as_published_is_refused(
    s3: str, hub: Path, tmp_path: Path
) -> None:
    patches = next(hub.glob("data/phase_c/*/patched.npz"), None) or next(hub.rglob("*.npz"))
    aside = patches.rename(tmp_path / "aside")
    refused = ptyrun("export", str(hub), "--output", s3)
    assert refused.returncode == 2
    assert "is not complete" in refused.stderr
    aside.rename(patches)
    assert ptyrun("export", str(hub), "--output", s3).returncode == 0
    Bucket(s3).put("study.json", b"{}")
    found = published_at(s3)
    assert isinstance(found, PublishedStudy)
    with pytest.raises(DamageError, match=r"study\.json is damaged"):
        found.report(tmp_path / "pages")
