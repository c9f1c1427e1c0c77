"""Do real documents follow their JSON schemas, and do schemas refuse what readers refuse?"""

from __future__ import annotations

import copy
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from docs import schema_files
from ptyrun.host.children import ptyrun_words
from ptyrun.host.typed_json import build
from ptyrun.paths import RunPaths
from ptyrun.results import Results
from tests.commands import ptyrun
from tests.scans import write_reconstruction, write_scan
from tests.stages import finished_run
from tests.study.hubs import write_base
from tests.study.upstream_hubs import write_hub

SCHEMAS = schema_files.schemas()
PATIENCE_S = 300


def follows(name: str, document: Any) -> None:
    """Fail where *document* does not follow the schema called *name*."""
    schema = SCHEMAS[name]
    jsonschema.Draft202012Validator(schema).validate(document)


def newest(name: str) -> str:
    (found,) = [file for file in SCHEMAS if file.rpartition("-")[0] == name]
    return found


def test_every_schema_lies_beside_the_documents_as_the_code_has_it() -> None:
    stored = {path.name: path.read_text() for path in schema_files.FOLDER.iterdir()}
    stale = [name for name in SCHEMAS if stored.get(name) != schema_files.text_of(SCHEMAS[name])]
    assert not stale, "`make tables` writes them"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def follow_all(paths: RunPaths, *more: str) -> None:
    """Fail where a document of a run does not follow its schema."""
    assert ptyrun("preview", str(paths.root)).returncode == 0
    follows(newest("status"), json.loads(ptyrun("status", str(paths.root), "--json").stdout))
    files = {name: paths.root / f"{name}.json" for name in ("manifest", "results", "owner", *more)}
    for name, path in {**files, "preview": paths.preview / "preview.json"}.items():
        follows(newest(name), json.loads(path.read_text()))
    for file in paths.ledger.iterdir():
        for line in file.read_text().splitlines():
            follows(newest("ledger-line"), json.loads(line))


def test_every_document_of_a_comparison_follows_its_schema(tmp_path: Path) -> None:
    scan, run_dir = write_scan(tmp_path / "scan.npz"), tmp_path / "run"
    words = [
        f"--arm=name={name},reconstruction={write_reconstruction(tmp_path / f'{name}.npz', seed)}"
        for seed, name in enumerate(("first", "second"), 3)
    ]
    words += [f"--test_data={scan}", f"--output_dir={run_dir}", "--no-vector-plots"]
    assert ptyrun("compare", *words).returncode == 0
    follow_all(RunPaths(run_dir))


@pytest.mark.slow
def test_every_document_of_a_run_in_the_background_follows_its_schema(run_dir: Path) -> None:
    words = ("--trust-model=pinn", "--trust-model=baseline", str(run_dir))
    done = subprocess.run(
        ptyrun_words("start", "--foreground", *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
    follow_all(RunPaths(run_dir), "process", "completion")


def test_lines_of_failures_follow_their_schema(tmp_path: Path) -> None:
    finished_run.write(tmp_path / "run")
    events = set()
    for file in RunPaths(tmp_path / "run").ledger.iterdir():
        for line in map(json.loads, file.read_text().splitlines()):
            follows(newest("ledger-line"), line)
            events.add(line["event"])
    assert {"fail", "commit", "session_open", "close"} <= events


def test_what_a_study_tells_programs_follows_its_schema(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "summed")
    ptyrun("study", "summarize", "--hub", str(hub))
    verdict = ptyrun("study", "verify", "--hub", str(hub), "--json")
    follows(newest("study-verify"), json.loads(verdict.stdout))
    parameters = next(hub.rglob("study_parameters.json"))
    follows(newest("study-parameters"), json.loads(parameters.read_text()))
    base = write_base(tmp_path / "base.npz")
    words = ("--hub", str(tmp_path / "hub"), "--base-npz", str(base), "--json")
    follows(newest("study-status"), json.loads(ptyrun("study", "plan", *words).stdout))


@pytest.mark.slow
def test_every_document_of_a_study_follows_its_schema(tmp_path: Path) -> None:
    hub, base = tmp_path / "hub", write_base(tmp_path / "base.npz")
    words = ["--base-npz", str(base), "--dose", "1000", "--view", "dense", "--splits", "train"]
    words += ["--n-groups", "8", "--neighbor-count", "5", "--name", "small"]
    done = subprocess.run(
        ptyrun_words("study", "run", "--hub", str(hub), *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    follows(newest("study"), json.loads(next(hub.rglob("study.json")).read_text()))
    records = [json.loads(path.read_text()) for path in hub.rglob("*.stage.json")]
    assert records
    for record in records:
        follows(newest("study-record"), record)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document that holds a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Give a copy with another value at one place; an Ellipsis takes it away."""
    made = copy.deepcopy(document)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return made


def test_a_schema_and_its_reader_refuse_the_same_documents(tmp_path: Path) -> None:
    """Spoilt at random places: a field taken away, or of another type."""
    finished_run.write(tmp_path / "run")
    document = json.loads(RunPaths(tmp_path / "run").results.read_text())
    validator = jsonschema.Draft202012Validator(SCHEMAS[newest("results")])
    draw, spots = random.Random(1), [p for p in places(document) if p != ("schema",)]
    refused = 0
    for _ in range(400):
        spoilt = changed(
            document,
            draw.choice(spots),
            draw.choice([..., None, True, 7, -1.5, "text", [], {}, [1, 2, 3, 4]]),
        )
        fields = {name: value for name, value in spoilt.items() if name != "schema"}
        try:
            build(Results, fields)
            is_read = True
        except ValueError:
            is_read = False
        assert validator.is_valid(spoilt) == is_read, spoilt
        refused += not is_read
    assert 50 < refused < 390
