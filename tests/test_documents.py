"""Do the documents say what the code does?"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ptyrun.engine import records
from ptyrun.engine.manifest import ArmPlan, Manifest
from ptyrun.errors import ExitCode
from ptyrun.paths import RunPaths
from ptyrun.results import ArmResult, Metric, PairResult, Results

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def format_words() -> set[str]:
    """Every word that docs/format.md sets in code."""
    text = (DOCS / "format.md").read_text(encoding="utf-8")
    return set(re.findall(r"[A-Za-z_.0-9*<>/-]+", " ".join(re.findall(r"`([^`\n]+)`", text))))


@pytest.mark.parametrize("kind", [Manifest, ArmPlan, Results, ArmResult, PairResult, Metric])
def test_the_format_document_names_every_field(kind: type, format_words: set[str]) -> None:
    missing = {field.name for field in dataclasses.fields(kind)} - format_words
    assert not missing


@pytest.mark.parametrize("event", sorted(records._EVENTS))
def test_the_format_document_lists_each_ledger_line_as_it_is(event: str) -> None:
    text = (DOCS / "format.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{event}` \| (.*?) \|", text, re.MULTILINE)
    assert row is not None, f"{event} is not in the table"
    named = re.findall(r"`(\w+)`", row[1])
    assert named == [field.name for field in dataclasses.fields(records._EVENTS[event])]


def test_the_format_document_gives_every_exit_code() -> None:
    text = (DOCS / "format.md").read_text(encoding="utf-8")
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert codes == {int(code) for code in ExitCode}


def test_the_format_document_names_every_file_of_a_run() -> None:
    text = (DOCS / "format.md").read_text(encoding="utf-8")
    paths = RunPaths(Path("run"))
    names = {
        value.relative_to("run").name
        for attribute in vars(RunPaths)
        if isinstance(value := getattr(paths, attribute), Path) and attribute != "root"
    }
    patterns = [word for cell in re.findall(r"`([^`\n]+)`", text) for word in [cell.strip("/")]]
    unnamed = {name for name in names if not any(_matches(p, name) for p in patterns)}
    assert not unnamed


def _matches(pattern: str, name: str) -> bool:
    first = Path(pattern).parts[0] if Path(pattern).parts else pattern
    return re.fullmatch(re.escape(first).replace(r"\*", ".*"), name) is not None
