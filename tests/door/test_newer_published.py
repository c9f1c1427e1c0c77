"""What is said of a published run that a newer ptyrun published? Nothing is fetched for this."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptyrun.comparison.published import Published
from ptyrun.door.published import PublishedRun
from ptyrun.errors import NewerError
from ptyrun.host.documents import sealed, unsealed
from ptyrun.stages.status import status

pytest.importorskip("obstore", reason="buckets are reached by obstore")


@pytest.mark.parametrize("more", [{"schema": 2}, {"tilt_deg": 1}], ids=repr)
def test_a_published_status_of_a_newer_ptyrun_is_called_newer(
    more: dict[str, int], half_done: Path
) -> None:
    found = status(half_done)
    same = Published("0", found.to_json(), {})
    assert PublishedRun("s3://bucket/run", same).status().arms == found.arms
    newer = Published("0", json.dumps({**json.loads(found.to_json()), **more}), {})
    with pytest.raises(NewerError, match=r"s3://bucket/run .*written by a newer ptyrun"):
        PublishedRun("s3://bucket/run", newer).status()


@pytest.mark.parametrize("more", [{"schema": 2}, {"tilt_deg": 1}], ids=repr)
def test_what_a_newer_ptyrun_published_is_called_newer(more: dict[str, int]) -> None:
    document = unsealed(Published("0", "{}", {}).to_json())
    with pytest.raises(NewerError, match="written by a newer ptyrun"):
        Published.from_json(sealed({**document, **more}))
