"""Is a changed byte found in a file whose format has no checksums, because ptyrun made it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.engine.window import Window
from ptyrun.study.checks.records import changes
from ptyrun.study.checks.verify import verify
from ptyrun.study.files import HubFiles
from ptyrun.study.graph import Graph
from ptyrun.study.hub import Hub
from ptyrun.study.identity import keep
from ptyrun.study.making import make
from ptyrun.study.others import OtherStage, placed
from ptyrun.study.works import work_of
from tests.study.hubs import small_study

MODEL = "data/phase_e/dose_1000/dense/gs2/net.pth"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub with one model and the log of the stage that made it."""
    options = small_study(tmp_path).options
    hub = Hub(options.hub)
    script = f"head -c 1000 /dev/zero > $PTYRUN_HUB/{MODEL}; echo trained"
    other = OtherStage("train", ("sh", "-c", script), (), (MODEL,))
    make(Graph.of(hub, placed(hub, options, (), (other,))), "train", Window(), work_of)
    keep(options, hub)
    return hub


def found(hub: Hub) -> dict[str, str]:
    files = HubFiles.of(hub.root)
    return changes(files, tuple(each.name for each in files.all()))


def test_what_a_stage_made_is_as_its_record_says(hub: Hub) -> None:
    assert found(hub) == {}


def test_one_changed_byte_of_a_model_is_found_by_the_inventory_check(hub: Hub) -> None:
    data = bytearray(hub.path(MODEL).read_bytes())
    data[500] ^= 1
    hub.path(MODEL).write_bytes(data)
    assert found(hub) == {MODEL: f"{MODEL} has other bytes than train made"}
    said = {each.name: each.error for each in verify(hub.root).validations}
    assert f"{MODEL} has other bytes" in said["inventory"]
    assert not any(MODEL in error for name, error in said.items() if name != "inventory")


@pytest.mark.parametrize("change", ["altered", "cut"])
def test_a_changed_log_is_found_by_the_logs_check(hub: Hub, change: str) -> None:
    log = hub.log("train")
    text = log.read_text()
    log.write_text(text.replace("complete", "complete?") if change == "altered" else text[:-4])
    assert [*found(hub)] == ["cli/train.log"]
    said = {each.name: each.error for each in verify(hub.root).validations}
    assert "cli/train.log has other lines than train wrote" in said["stage_logs"]


def test_lines_that_are_added_to_a_log_are_no_change(hub: Hub) -> None:
    with hub.log("train").open("a") as log:
        log.write("a later session looked at it\n")
    assert found(hub) == {}


def test_a_record_that_is_none_is_named(hub: Hub) -> None:
    record = next(hub.root.rglob("*.stage.json"))
    record.write_text("{}")
    (said,) = found(hub).values()
    assert "is not a record of a stage" in said


def test_records_that_were_set_aside_say_nothing_of_what_was_made_since(hub: Hub) -> None:
    aside = hub.archive / "20260101T000000Z-clobber-0000"
    for path in [*hub.root.rglob("*.stage.json")]:
        (aside / path.relative_to(hub.root)).parent.mkdir(parents=True)
        path.rename(aside / path.relative_to(hub.root))
    hub.path(MODEL).write_bytes(b"another")
    hub.log("train").write_text("another\n")
    assert found(hub) == {}
