"""Does the verification end, without a traceback and without leaving the hub, whatever is in it?"""

from __future__ import annotations

import json
import os
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptyrun.errors import PtyrunError, UsageError
from ptyrun.study import analysis
from ptyrun.study.checks import wholeness
from ptyrun.study.checks.verify import CHECKS, verify
from ptyrun.study.checks.wholeness import damage
from ptyrun.study.files import MAX_TEXT_BYTES, HubFiles
from ptyrun.study.summaries.summarize import summarize
from tests.study.upstream_hubs import write_hub

JSONS = (analysis.MANIFEST, analysis.SUMMARY, analysis.DELTAS, analysis.PARAMETERS)
TEXTS = (analysis.SUMMARY_TEXT, analysis.REPORT, analysis.DIGEST, analysis.INVENTORY)
TRAIN_CSV = "analysis/dose_1000/dense/train/comparison_metrics.csv"
TRAIN_NPZ = "data/phase_c/dose_1000/patched_train.npz"
PLACES = (*JSONS, *TEXTS, TRAIN_CSV, TRAIN_NPZ, "cli/phase_d_dense.log")


def giant(path: Path) -> None:
    path.touch()
    os.truncate(path, MAX_TEXT_BYTES * 64)


MAKERS: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a folder": Path.mkdir,
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link out of the hub": lambda path: path.symlink_to("/etc/passwd"),
    "a link in a loop": lambda path: path.symlink_to(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe{}\x00"),
    "a sparse giant": giant,
}
WORDS = (
    *("[]", "3", "null", "NaN", '"text"', "{", "{}", "", "\x00", "[" * 100_000, '{"a":' * 50_000),
    *('{"n_jobs": 1e999}', '{"n_jobs": ' + "9" * 5000 + "}", '{"jobs": [{"dose": [1]}]}'),
)


def ends_with_ten(hub: Path) -> set[str]:
    verdict = verify(hub)
    assert [each.name for each in verdict.validations] == [each.name for each in CHECKS]
    json.loads(verdict.to_json())
    said = " ".join(each.error for each in verdict.validations)
    assert "root:" not in said, "it read a file outside the hub"
    assert "cannot be made" not in said, said
    return {each.name for each in verdict.validations if each.faults}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_no_file_is_named_and_not_waited_for(hub: Path, place: str, kind: str) -> None:
    (hub / place).unlink()
    MAKERS[kind](hub / place)
    assert ends_with_ten(hub)


@pytest.mark.parametrize("name", JSONS)
def test_json_of_any_kind_is_named(hub: Path, name: str) -> None:
    for word in WORDS:
        (hub / name).write_text(word, encoding="utf-8")
        assert ends_with_ten(hub), word[:40]
        try:
            summarize(hub)  # writes it again, or refuses by name
        except PtyrunError as error:
            assert name in str(error) or "comparison" in str(error)


def _paths(document: object, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [prefix] if prefix else []
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in items:
        found += _paths(value, (*prefix, key))
    return found


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["../../x", "/etc/passwd", "a\nb", "\udcff"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def hub_of_module(good_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(good_hub, tmp_path_factory.mktemp("hostile") / "hub")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(JSONS), where=st.randoms(use_true_random=False), value=ANY_JSON)
def test_any_value_in_any_place_of_a_document_ends_in_ten_checks(
    hub_of_module: Path, name: str, where: object, value: object
) -> None:
    path = hub_of_module / name
    before = path.read_text(encoding="utf-8")
    document = json.loads(before)
    *way, last = where.choice(_paths(document))  # type: ignore[attr-defined]
    inner = document
    for key in way:
        inner = inner[key]
    changes = json.dumps(inner[last]) != json.dumps(value)
    inner[last] = value
    try:
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")
        failed = ends_with_ten(hub_of_module)
    finally:
        path.write_text(before, encoding="utf-8")
    # Values that the manifest holds for people alone are not compared with anything.
    assert failed or not changes or name == analysis.MANIFEST


@pytest.mark.parametrize(
    "line", ["../outside", "/etc/passwd", "a/../b", "./a", "a//b", "C:\\x", "a\\b", "", " "]
)
def test_a_line_of_the_inventory_that_is_no_name_below_the_hub(hub: Path, line: str) -> None:
    inventory = hub / analysis.INVENTORY
    inventory.write_text(f"{line}\n{inventory.read_text()}")
    assert ends_with_ten(hub) == {"inventory"}


def test_a_log_path_out_of_the_hub_is_not_read(hub: Path) -> None:
    for path in ("../../../../../../../etc/passwd", "/etc/passwd"):
        manifest = json.loads((hub / analysis.MANIFEST).read_text())
        manifest["execution_results"][0]["log_path"] = path
        (hub / analysis.MANIFEST).write_text(json.dumps(manifest))
        assert ends_with_ten(hub) == {"comparison_manifest", "stage_logs"}


def test_a_split_that_leads_elsewhere_is_refused(hub: Path) -> None:
    manifest = json.loads((hub / analysis.MANIFEST).read_text())
    manifest["execution_results"][0]["split"] = "../../../x"
    (hub / analysis.MANIFEST).write_text(json.dumps(manifest))
    assert "comparison_manifest" in ends_with_ten(hub)
    with pytest.raises(PtyrunError, match="view or split"):
        summarize(hub)


def test_a_linked_folder_is_not_followed(hub: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (hub / "data/phase_c").rename(elsewhere)
    (hub / "data/phase_c").symlink_to(elsewhere)
    assert {"phase_c_metadata", "inventory"} <= ends_with_ten(hub)
    (hub / "analysis").rename(tmp_path / "analysis")
    (hub / "analysis").symlink_to(tmp_path / "analysis")
    assert len(ends_with_ten(hub)) >= 9
    with pytest.raises(PtyrunError):
        summarize(hub)


def test_a_socket_and_names_that_no_line_can_hold_are_named(hub: Path) -> None:
    before = Path.cwd()
    os.chdir(hub)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("talk")
    finally:
        os.chdir(before)
    assert ends_with_ten(hub) == {"inventory"}
    (hub / "talk").unlink()
    for name in (b"line\nbreak", b"not\xffutf8", b"back\\slash"):
        path = Path(os.fsdecode(os.fsencode(hub) + b"/" + name))
        path.write_text("x")
        assert ends_with_ten(hub) == {"inventory"}
        with pytest.raises(PtyrunError, match="rename it"):
            summarize(hub)
        path.unlink()


def test_a_bomb_in_an_archive_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * (1 << 20))
    data = path.read_bytes()
    size = (1 << 20).to_bytes(4, "little")
    path.write_bytes(data.replace(size, (0xFFFFFFF0).to_bytes(4, "little")))
    assert "invalid member" in damage(HubFiles(tmp_path), "bomb.zip")


def test_an_archive_that_unpacks_for_hours_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wholeness, "MAX_INFLATED_BYTES", 1999)
    for kind, said in ((zipfile.ZIP_DEFLATED, "would unpack"), (zipfile.ZIP_STORED, "")):
        with zipfile.ZipFile(tmp_path / "many.zip", "w", kind) as archive:
            archive.writestr("one", b"\0" * 1000)
            archive.writestr("other", b"\0" * 1000)
        assert damage(HubFiles(tmp_path), "many.zip").startswith(said)
        assert bool(damage(HubFiles(tmp_path), "many.zip")) == bool(said)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.bin", b"", "is empty"),
        ("a.npz", b"PK\3", "is damaged"),
        ("a.json", b"{", "cannot be read"),
        (
            "a.h5",
            b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08" + bytes(25) + b"\0\1" + bytes(6),
            "cut off",
        ),
        ("a.bin", b"x", ""),
        ("a.json", b'{"a": NaN}', ""),
    ],
)
def test_damage_that_a_format_tells_of(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = damage(HubFiles(tmp_path), name)
    assert said in found
    assert bool(said) == bool(found)


def test_a_truncated_hdf5_file_is_found(tmp_path: Path) -> None:
    import h5py

    for version in ("earliest", "latest"):
        path = tmp_path / f"{version}.h5"
        with h5py.File(path, "w", libver=version) as file:
            file["x"] = range(999)
        assert damage(HubFiles(tmp_path), path.name) == ""
        os.truncate(path, path.stat().st_size // 2)
        assert "cut off" in damage(HubFiles(tmp_path), path.name)


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_is_no_hub(hub: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    for work in (verify, summarize):
        with pytest.raises(UsageError, match="not a hub"):
            work(tmp_path / name)


def test_an_empty_folder_fails_ten_checks(tmp_path: Path) -> None:
    assert len(ends_with_ten(tmp_path)) == 10


def test_a_hub_without_summaries_fails_them_and_no_other(tmp_path: Path) -> None:
    failed = ends_with_ten(write_hub(tmp_path / "hub"))
    assert not failed & {"comparison_manifest", "stage_logs"}
    assert len(failed) == 8


def test_a_text_beyond_the_limit_is_not_taken_for_what_fits(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("12345")
    assert HubFiles(tmp_path).bytes("a.txt", 5) == b"12345"
    with pytest.raises(PtyrunError, match="more than 4 bytes"):
        HubFiles(tmp_path).bytes("a.txt", 4)
