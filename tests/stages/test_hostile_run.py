"""What can a run's folder do that somebody else made? Nothing but be refused by name."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.comparison import outputs
from ptyrun.comparison.metrics_table import metrics_table
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import ExitCode, PtyrunError
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from ptyrun.report import long_table
from ptyrun.results import Results
from tests.stages import finished_run, hostile_run
from tests.studies import Finished, ptyrun

READING = ("status", "verify", "preview", "report", "finalize", "run")


@pytest.fixture
def sent(tmp_path: Path) -> RunPaths:
    """A finished run, received from somebody."""
    return hostile_run.write(tmp_path / "run")


def assert_refused(done: Finished, *named: str) -> None:
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert "Traceback" not in done.stderr
    for each in named:
        assert each in done.stderr


NAMES = [
    *("../../victim", "/tmp/victim", "a/b", "..", "", "x" * 200, "a\0b"),
    *("index", "ground_truth", "objectGuess"),
]


@pytest.mark.parametrize("name", NAMES)
def test_an_arm_whose_name_is_a_path_is_refused_and_nothing_is_written(
    sent: RunPaths, name: str
) -> None:
    hostile_run.reworked(sent, lambda arm: replace(arm, name=name))
    before = sorted(sent.root.parent.rglob("*"))
    for command in ("finalize", "preview", "run", "status"):
        assert_refused(ptyrun(command, str(sent.root)), "manifest.json", "no arm can be called")
    assert sorted(sent.root.parent.rglob("*")) == before


BOMBS: dict[str, Callable[[ArmPlan], ArmPlan]] = {
    "chunks": lambda arm: replace(arm, n_items=10**9, chunk_items=1),
    "items": lambda arm: replace(arm, n_items=10**15, chunk_items=1),
    "chunk": lambda arm: replace(arm, chunk_items=10**15),
    "item": lambda arm: replace(arm, item_shape=(2**25, 2**25)),
    "axes": lambda arm: replace(arm, item_shape=(1,) * 60),
    "emptiness": lambda arm: replace(arm, item_shape=(0, 4)),
    "dtype": lambda arm: replace(arm, dtype="object"),
    "label": hostile_run.with_label("=cmd\x1b]0;pwned\x07"),
    "right to left": hostile_run.with_label("safe\u202egnp.exe"),
    "long label": hostile_run.with_label("x" * 10_000),
    "index": lambda arm: replace(arm, index_sha256={"../../../etc": "0" * 64}),
    "another's index": lambda arm: replace(arm, index_sha256={"index/baseline/frames": "0" * 64}),
    "digest": lambda arm: replace(arm, index_sha256={"index/pinn/frames": "../x"}),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_counts_and_texts_that_no_plan_has_are_refused_before_they_take_memory(
    sent: RunPaths, bomb: str
) -> None:
    hostile_run.reworked(sent, BOMBS[bomb])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_refused(ptyrun("status", str(sent.root)), str(sent.manifest), "is not a manifest")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_run_of_a_million_chunks_is_legal(sent: RunPaths) -> None:
    hostile_run.reworked(sent, lambda arm: replace(arm, n_items=10**6, chunk_items=1))
    assert Manifest.load(sent.manifest).arm("pinn").n_chunks == 10**6


DOCUMENTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "sources are a list": lambda d: d.update(sources=[1]),
    "sources are nested": lambda d: d.update(sources={"scan": {"a": 1}}),
    "shared is text": lambda d: d.update(shared="x"),
    "facts are nested": lambda d: d["arms"][0].update(facts={"a": [1]}),
    "facts are none": lambda d: d["arms"][0].update(facts=None),
    "an arm is a number": lambda d: d.update(arms=[3]),
    "arms are a mapping": lambda d: d.update(arms={}),
    "a count is a text": lambda d: d["arms"][0].update(n_items="many"),
    "a count is a truth": lambda d: d["arms"][0].update(chunk_items=True),
    "a count is broken": lambda d: d["arms"][0].update(n_items=1.5),
    "a side is a text": lambda d: d["arms"][0].update(item_shape=["a", 4]),
    "a name is a number": lambda d: d["arms"][0].update(name=3),
    "a field is missing": lambda d: d["arms"][0].pop("label"),
    "two arms of one name": lambda d: d["arms"].append(d["arms"][0]),
    "a number of 30 digits": lambda d: d["shared"].update(frc_sigma=10**30),
}


@pytest.mark.parametrize("how", DOCUMENTS)
def test_a_manifest_of_other_types_is_refused_by_its_file(sent: RunPaths, how: str) -> None:
    document = json.loads(sent.manifest.read_text())
    DOCUMENTS[how](document)
    sent.manifest.write_text(hostile_run.redigested(document))
    assert_refused(ptyrun("status", str(sent.root)), str(sent.manifest), "is not a manifest")


def test_a_manifest_with_a_field_that_is_not_known_is_a_newer_ptyruns(sent: RunPaths) -> None:
    document = json.loads(sent.manifest.read_text())
    document["arms"][0]["also"] = 3
    sent.manifest.write_text(hostile_run.redigested(document))
    done = ptyrun("status", str(sent.root))
    assert_refused(done, str(sent.manifest), "written by a newer ptyrun", "'arms.also'")


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "NaN", '{"schema": NaN}', "[]", "3", "", "\xff"],
    ids=["lists", "objects", "nan", "nan inside", "list", "number", "empty", "no utf-8"],
)
def test_a_manifest_that_is_no_manifest_is_refused_by_its_file(sent: RunPaths, text: str) -> None:
    sent.manifest.write_bytes(text.encode("latin-1"))
    assert_refused(ptyrun("status", str(sent.root)), str(sent.manifest), "is not a manifest")


def test_a_manifest_without_what_a_plan_says_is_refused_where_that_is_needed(
    sent: RunPaths,
) -> None:
    document = json.loads(sent.manifest.read_text())
    del document["sources"]["scan"]
    sent.manifest.write_text(hostile_run.redigested(document))
    assert_refused(ptyrun("preview", str(sent.root)), "does not say 'scan'")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["shared", "sources", "arms", "schema", "name", "facts", "n_items", "label"]),
)
def test_whatever_a_field_of_a_manifest_holds_is_used_or_refused(value: Any, field: str) -> None:
    from tests.stages.finished_run import LABELS, manifest

    document = json.loads(manifest(LABELS, None).to_json())
    inside = field in ("name", "facts", "n_items", "label")
    (document["arms"][0] if inside else document)[field] = value
    try:
        text = hostile_run.redigested(document)
    except ValueError:  # what JSON cannot say
        return
    try:
        read = Manifest.from_json(text)
    except PtyrunError:
        return
    assert Manifest.from_json(read.to_json()) == read


FILES = [
    *["manifest.json", "SHA256SUMS", "results.json", "process.json"],
    *["cache/costs.json", "cache/asked.json", "cache/steps/sums-pinn.0.0.npz", "cache/0-0.npy"],
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_file_of_a_run_that_is_none_is_neither_waited_for_nor_followed(
    sent: RunPaths, name: str, kind: str
) -> None:
    place = sent.root / name
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero")
    done = subprocess.run(  # one of its own, which may be waited for no longer than this
        [sys.executable, "-m", "ptyrun", "status", str(sent.root)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert_refused(Finished(done.returncode, done.stdout, done.stderr), str(place))


FOLDERS = [
    *["report", "preview", "logs", "claims", "cache", "ledger", "blocked", "superseded", "debug"],
    *["arrays.zarr", "arrays.zarr/pinn", "arrays.zarr/pinn/patches", "arrays.zarr/index"],
    *["objects.zarr", "objects.zarr/pinn", "objects.zarr/pinn/object", "objects.zarr.partial"],
    *["cache/steps", "unpublished", "unpublished/results"],
]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_a_run_that_is_a_link_is_refused_before_anything_is_written(
    sent: RunPaths, name: str
) -> None:
    outside = sent.root.parent / "outside"
    outside.mkdir()
    for number in range(45):
        (outside / f"session-{number:03d}.jsonl").write_text("mine")
    place = sent.root / name
    if place.exists():
        place.rename(sent.root.parent / "moved")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    before = {path: path.lstat().st_mtime_ns for path in sent.root.parent.rglob("*")}
    for command in READING:
        assert_refused(ptyrun(command, str(sent.root)), f"{place} is a symbolic link")
    assert {path: path.lstat().st_mtime_ns for path in sent.root.parent.rglob("*")} == before


@pytest.mark.parametrize("place", ["/dev/zero", "fifo"])
def test_an_input_that_never_ends_is_named_and_not_read(
    sent: RunPaths, place: str, tmp_path: Path
) -> None:
    if place == "fifo":
        place = str(tmp_path / "fifo")
        os.mkfifo(place)
    planned = Manifest.load(sent.manifest)
    sources = {**planned.sources, "scan": place}
    sent.manifest.write_text(Manifest(planned.shared, planned.arms, sources).to_json())
    done = subprocess.run(  # one of its own, which may be waited for no longer than this
        [sys.executable, "-m", "ptyrun", "verify", str(sent.root)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 2, 3), done.stderr
    assert "Traceback" not in done.stderr


def test_names_of_strangers_forge_no_line(sent: RunPaths) -> None:
    (sent.root / "x\nOK: 10 chunks\x1b[2J").write_text("mine")
    done = ptyrun("verify", str(sent.root))
    assert "unexpected: x\\nOK: 10 chunks\\x1b[2J: not ptyrun's" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("OK")]


def test_a_run_may_be_reached_through_a_link(sent: RunPaths) -> None:
    link = sent.root.parent / "link"
    link.symlink_to(sent.root)
    assert ptyrun("status", str(link)).returncode == 0


def test_links_that_are_not_the_runs_own_are_left_alone(sent: RunPaths) -> None:
    (sent.root / "notes").symlink_to("/etc")
    assert ptyrun("status", str(sent.root)).returncode == 0


def test_no_cell_of_a_table_is_a_formula(tmp_path: Path) -> None:
    labels = {"pinn": "=cmd|' /C calc'!A0", "baseline": "@SUM(1)", "reconstruction": "-1+1"}
    results = Results.load(finished_run.write(tmp_path / "run", labels).results)
    outputs.write_metrics_csv(tmp_path / "metrics.csv", results)
    outputs.write_frc_csv(tmp_path / "frc.csv", labels["pinn"], np.ones(3), -np.ones(3))
    (tmp_path / "long.csv").write_text(long_table.metrics_csv(results))
    for name in ("metrics.csv", "frc.csv", "long.csv"):
        rows = list(csv.reader((tmp_path / name).read_text().splitlines()))
        cells = {cell for row in rows for cell in row}
        formulas = {cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")}
        assert all(math.isfinite(float(cell)) for cell in formulas), "numbers stay numbers"
        assert any(cell.startswith("'=cmd") for cell in cells)


def test_no_text_of_results_turns_writing_or_forges_a_line(sent: RunPaths) -> None:
    document = json.loads(sent.results.read_text())
    nasty = "fine\nerror: all is lost\x1b[2J\u202egnp\u200b"
    document["notes"] = [nasty]
    document["arms"]["pinn"].update(mismatch=nasty, notes=[nasty])
    document["sources"] = {"mae": nasty}
    sent.results.write_text(json.dumps(document))
    checksums.write(sent.root, [sent.root / name for name in checksums.vouched(sent.root)])
    done = ptyrun("report", str(sent.root))
    assert done.returncode == 0, done.stderr
    for name in ("index.html", "report.md"):
        text = (sent.root / "report" / name).read_text()
        assert "all is lost" in text
        assert not {"\x1b", "\u202e", "\u200b"} & set(text)
    lines = metrics_table(Results.load(sent.results)).splitlines()
    assert not [line for line in lines if line.startswith("error:")]


HOSTILE_RESULTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "arms are a list": lambda d: d.update(arms=[]),
    "a metric is a text": lambda d: d["arms"]["pinn"]["metrics"]["mae"].update(amplitude="x"),
    "a label has escapes": lambda d: d["arms"]["pinn"].update(label="\x1b[2J"),
    "a pair of nobody": lambda d: d.update(
        pairs=[{"first": "a", "second": "b", "standard": {}, "notes": []}]
    ),
    "a region of three": lambda d: d.update(evaluated_region_px=[1, 2, 3]),
    "notes are a text": lambda d: d.update(notes="abc"),
    "a schema that is none": lambda d: d.update(schema="x"),
}


@pytest.mark.parametrize("how", HOSTILE_RESULTS)
def test_results_of_other_types_are_refused(sent: RunPaths, how: str) -> None:
    document = json.loads(sent.results.read_text())
    HOSTILE_RESULTS[how](document)
    sent.results.write_text(json.dumps(document))
    checksums.write(sent.root, [sent.root / name for name in checksums.vouched(sent.root)])
    for command in ("report", "export"):
        words = ["--output", str(sent.root.parent / "out.csv")] if command == "export" else []
        assert ptyrun(command, str(sent.root), *words).returncode == ExitCode.USAGE


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", "3", "{", ""])
def test_results_that_are_none_are_refused(sent: RunPaths, text: str) -> None:
    sent.results.write_text(text)
    checksums.write(sent.root, [sent.root / name for name in checksums.vouched(sent.root)])
    done = ptyrun("report", str(sent.root))
    assert_refused(done, "this is not a valid results.json")
    assert ptyrun("status", str(sent.root)).returncode == 0


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/dev/zero", "report/../../x"])
def test_checksums_name_files_of_the_folder_only(sent: RunPaths, name: str) -> None:
    lines = f"{'0' * 64}  {name}\n"
    head = f"# SHA-256 of the lines below: {hashlib.sha256(lines.encode()).hexdigest()}\n"
    (sent.root / checksums.NAME).write_text(head + lines)
    done = ptyrun("report", str(sent.root))
    assert done.returncode in (1, 2)
    assert name in done.stderr


METADATA: dict[str, Callable[[dict[str, Any]], object]] = {
    "huge": lambda d: (
        d.update(shape=[2**25] * 2),
        d["chunk_grid"]["configuration"].update(chunk_shape=[2**25] * 2),
    ),
    "negative": lambda d: d.update(shape=[-1, -1]),
    "unknown codec": lambda d: d.update(codecs=[{"name": "unheard", "configuration": {}}]),
    "no array": lambda d: d.update(node_type="group"),
    "texts": lambda d: d.update(data_type="string"),
    "no fill": lambda d: d.pop("fill_value"),
    "a list": lambda d: d.update(chunk_grid=[]),
}


@pytest.mark.parametrize("how", METADATA)
def test_objects_of_other_shapes_or_codecs_are_refused_before_they_take_memory(
    sent: RunPaths, how: str
) -> None:
    place = sent.objects / "pinn/object/zarr.json"
    document = json.loads(place.read_text())
    METADATA[how](document)
    place.write_text(json.dumps(document))
    checksums.write(sent.root, [sent.root / name for name in checksums.vouched(sent.root)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_refused(ptyrun("report", str(sent.root)), "objects.zarr", "pinn/object")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_chunk_that_is_no_file_is_damage_and_not_waited_for(half_run: Path, kind: str) -> None:
    place = half_run / "arrays.zarr/pinn/patches/c.1.0.0"
    place.rename(half_run.parent / "moved")
    if kind == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to(half_run.parent / "moved")
    assert "c.1.0.0" in ptyrun("verify", str(half_run)).stdout
    assert ptyrun("preview", str(half_run)).returncode in (0, ExitCode.USAGE)  # and it ends


@pytest.mark.parametrize("command", ["status", "report", "verify"])
def test_a_session_that_is_one_line_without_end_is_named(sent: RunPaths, command: str) -> None:
    path = min(sent.ledger.iterdir())
    with path.open("ab") as stream:
        stream.truncate(2**36)
    assert_refused(ptyrun(command, str(sent.root)), f"{path} is not a session's ledger")
