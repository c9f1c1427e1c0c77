"""Does a finished study survive as one archive, and is whatever is wrong with one named?"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ptyrun.errors import DamageError, InputError, PtyrunError, UsageError
from ptyrun.host import zip_layout
from ptyrun.study import identity
from ptyrun.study import pack as packing
from ptyrun.study.hub import CRATE
from ptyrun.study.pack import check, pack, unpack
from ptyrun.study.plan import Study
from tests.study.hubs import done, small_study


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A complete study without comparisons."""
    study = small_study(tmp_path_factory.mktemp("finished"))
    done(study)
    identity.keep(study.options, study.hub)
    return study


@pytest.fixture(scope="module")
def archive(finished: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "study.zip"
    pack(finished, path)
    return path


def test_a_study_is_packed_and_unpacked_byte_for_byte(
    finished: Study, archive: Path, tmp_path: Path
) -> None:
    n_files = check(archive)
    assert unpack(archive, tmp_path / "copy") == n_files
    assert bytes_of(tmp_path / "copy") == bytes_of(finished.hub.root)
    assert not [path for path in tmp_path.iterdir() if path.name != "copy"]


def bytes_of(hub: Path) -> dict[str, bytes]:
    found = {path.relative_to(hub).as_posix(): path for path in hub.rglob("*") if path.is_file()}
    return {name: p.read_bytes() for name, p in found.items() if not name.startswith("locks/")}


def test_equal_hubs_give_equal_archives(finished: Study, archive: Path, tmp_path: Path) -> None:
    pack(finished, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_an_archive_tells_what_was_made_from_what_by_which_command(archive: Path) -> None:
    with zipfile.ZipFile(archive) as source:
        assert source.namelist()[0] == CRATE
        document = json.loads(source.read(CRATE))
    found = {each["@id"]: each for each in document["@graph"]}
    assert found[CRATE]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert {each["@id"] for each in found["./"]["hasPart"]} >= {"study.json"}
    assert {"name", "description", "datePublished", "license"} <= set(found["./"])
    action = found["#overlap-dose_1000-dense-test"]
    assert action["object"] == [{"@id": "data/phase_c/dose_1000/patched_test.npz"}]
    assert {"@id": "data/phase_d/dose_1000/dense/test.npz"} in action["result"]
    assert len(found["#input-base"]["sha256"]) == 64
    assert found["#ptyrun"]["softwareVersion"]
    assert found["#option-neighbor_count"]["value"] == "5"
    nested = [each for each in found.values() for value in each.values()
              for one in (value if isinstance(value, list) else [value])
              if isinstance(one, dict) and set(one) != {"@id"}]  # fmt: skip
    assert not nested, "RO-Crate is flat"
    keys = ("object", "result", "hasPart", "mentions", "variableMeasured")
    named = {one["@id"] for each in found.values() for key in keys for one in each.get(key, ())}
    assert named <= set(found), "every entity that is named is told"


def test_names_are_told_as_uris_and_come_out_as_they_were(finished: Study, tmp_path: Path) -> None:
    names = ("notes of mine.txt", "50 % #1.txt", "größe.txt")
    for name in names:
        (finished.hub.root / "data" / name).write_text(name)
    try:
        pack(finished, tmp_path / "study.zip")
    finally:
        for name in names:
            (finished.hub.root / "data" / name).unlink()
    unpack(tmp_path / "study.zip", tmp_path / "copy")
    assert all((tmp_path / "copy/data" / name).read_text() == name for name in names)
    with zipfile.ZipFile(tmp_path / "study.zip") as source:
        graph = json.loads(source.read(CRATE))["@graph"]
    told = [each["@id"] for each in graph if each["@type"] == "File"]
    assert {"data/notes%20of%20mine.txt", "data/50%20%25%20%231.txt"} <= set(told)
    assert all(re.fullmatch(r"[\w./~%-]+", each, re.ASCII) for each in told)


def test_a_study_that_is_not_complete_is_not_packed(finished: Study, tmp_path: Path) -> None:
    study = small_study(tmp_path / "part", name="small")
    shutil.copytree(finished.hub.root, study.hub.root)
    shutil.copy(finished.hub.root.parent / "base.npz", tmp_path / "part" / "base.npz")
    study.hub.path("data/phase_d/dose_1000/dense/test.npz").unlink()
    with pytest.raises(
        UsageError, match=r"is not complete\n.*overlap-dose_1000-dense-test|manifest"
    ):
        pack(study, tmp_path / "study.zip")
    assert not (tmp_path / "study.zip").exists()


def test_nothing_is_overwritten(finished: Study, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        pack(finished, archive)
    with pytest.raises(UsageError, match="exists already"):
        unpack(archive, tmp_path)


def rewritten(archive: Path, place: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    with zipfile.ZipFile(archive) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    with zipfile.ZipFile(place, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return place


def altered(members: dict[str, bytes]) -> None:
    members["data/phase_c/run_manifest.json"] = members["data/phase_c/run_manifest.json"][::-1]


def shorter(members: dict[str, bytes]) -> None:
    members["study.json"] = members["study.json"][:-1]


def more(members: dict[str, bytes]) -> None:
    members["more"] = b""


def out_of_the_folder(members: dict[str, bytes]) -> None:
    crate = json.loads(members[CRATE])
    for each in crate["@graph"]:
        if each["@id"] == "study.json":
            each["@id"] = "../study.json"
    members["../study.json"] = members.pop("study.json")
    members[CRATE] = json.dumps(crate).encode()


CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], object], type[PtyrunError]]] = {
    "altered": (altered, DamageError),
    "shorter": (shorter, DamageError),
    "a member more": (more, DamageError),
    "a member less": (lambda members: members.pop("study.json"), DamageError),
    "out of the folder": (out_of_the_folder, DamageError),
    "no metadata": (lambda members: members.pop(CRATE), InputError),
    "other metadata": (lambda members: members.update({CRATE: b"[]"}), DamageError),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_archive_leaves_nothing(archive: Path, tmp_path: Path, case: str) -> None:
    change, kind = CHANGES[case]
    wrong = rewritten(archive, tmp_path / "wrong.zip", change)
    with pytest.raises(kind):
        check(wrong)
    with pytest.raises(kind):
        unpack(wrong, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.zip"]
    assert not (tmp_path.parent / "study.json").exists()


def as_link(info: zipfile.ZipInfo) -> None:
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def packed_tight(info: zipfile.ZipInfo) -> None:
    info.compress_type = zipfile.ZIP_DEFLATED


@pytest.mark.parametrize(
    ("change", "said"),
    [(as_link, r"'study.json' is a symbolic link"), (packed_tight, r"'study.json' is compressed")],
)
def test_a_member_that_is_no_plain_file_is_named(
    archive: Path, tmp_path: Path, change: Callable[[zipfile.ZipInfo], None], said: str
) -> None:
    place = tmp_path / "wrong.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(place, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename == "study.json":
                change(info)
            target.writestr(info, data)
    with pytest.raises(DamageError, match=said):
        unpack(place, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    "name", ["/etc/mine", "a/../../mine", "a\\b", "a//b", "./a", "a\nb", ".", "a/" * 1000 + "b"]
)
def test_a_name_that_leads_elsewhere_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    def change(members: dict[str, bytes]) -> None:
        crate = json.loads(members[CRATE])
        (entity,) = (each for each in crate["@graph"] if each["@id"] == "study.json")
        entity["@id"] = name
        members[name] = members.pop("study.json")
        members[CRATE] = json.dumps(crate).encode()

    wrong = rewritten(archive, tmp_path / "wrong.zip", change)
    with pytest.raises(DamageError):
        unpack(wrong, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.zip"]


def test_a_flipped_byte_and_a_cut_are_found(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    for name, wrong in (("flipped", bytes(data)), ("cut", data[:-100]), ("empty", b"")):
        place = tmp_path / f"{name}.zip"
        place.write_bytes(wrong)
        with pytest.raises((DamageError, InputError)):
            check(place)


def test_a_name_that_stands_there_twice_is_refused(archive: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(archive, tmp_path))
    with warnings.catch_warnings(), zipfile.ZipFile(place, "a") as target:
        warnings.simplefilter("ignore")
        target.writestr("study.json", "{}")
    with pytest.raises(DamageError, match=r"the name 'study\.json' occurs twice"):
        check(place)


def test_a_byte_belongs_to_one_file_alone(tmp_path: Path) -> None:
    """Of a gigabyte that is in a thousand files, a terabyte would be written."""
    inner, outer = tmp_path / "inner.zip", tmp_path / "outer.zip"
    with zipfile.ZipFile(inner, "w") as target:
        target.writestr("inner", b"data")
        (info,) = target.filelist
    record = inner.read_bytes()[: 30 + len("inner") + len(b"data")]
    files = {"outer": record, "inner": b"data"}
    graph = [
        {
            "@id": name,
            "@type": "File",
            "contentSize": str(len(data)),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        for name, data in files.items()
    ]
    with zipfile.ZipFile(outer, "w") as target:
        target.writestr("outer", record)
        target.writestr(CRATE, json.dumps({"@graph": graph}))
        info.header_offset = 30 + len("outer")
        target.filelist.append(info)
        target.NameToInfo["inner"] = info
    with zipfile.ZipFile(outer) as source:
        assert source.read("inner") == b"data"
    with pytest.raises(DamageError, match="bytes shared with another by 'inner'"):
        unpack(outer, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


BOUNDED = """
import resource, sys
from pathlib import Path
from ptyrun.errors import DamageError
from ptyrun.study.pack import check
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
try:
    check(Path(sys.argv[1]))
except DamageError as error:
    print(error)
"""


def test_a_directory_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    n_bytes, place = 8 << 30, tmp_path / "study.zip"
    n_members = n_bytes // zip_layout.CENTRAL.size
    told = (0, 0, n_members, n_members, n_bytes, 0)
    with place.open("wb") as target:
        target.truncate(n_bytes)  # of holes: nothing is written
        target.seek(n_bytes)
        target.write(zip_layout.END_64.pack(b"PK\6\6", 44, 45, 45, *told))
        target.write(zip_layout.LOCATOR_64.pack(b"PK\6\7", 0, n_bytes, 1))
        full = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0)
        target.write(zip_layout.END.pack(b"PK\5\6", 0, 0, *full, 0))
    words = [sys.executable, "-c", BOUNDED, str(place), str(2 << 30)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert f"its directory has {n_bytes} bytes; at most" in done.stdout, done.stderr[-500:]


def test_more_files_than_a_study_can_have_are_refused(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_files = check(archive)
    monkeypatch.setattr(packing, "MAX_FILES", n_files)
    assert check(archive) == n_files
    monkeypatch.setattr(packing, "MAX_FILES", n_files - 1)
    with pytest.raises(DamageError, match=f"it has {n_files + 1} members; at most {n_files} are"):
        check(archive)


def test_what_could_not_be_unpacked_is_not_packed(
    finished: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "MAX_METADATA_BYTES", 1000)
    with pytest.raises(InputError, match="has too many files to be packed"):
        pack(finished, tmp_path / "study.zip")
    assert not [*tmp_path.iterdir()]
