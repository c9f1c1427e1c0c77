"""Do the documents say what the code does?"""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from docs import tables
from ptyrun.engine import records
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
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
    missing = {each.name for each in dataclasses.fields(kind) if each.compare} - format_words
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


@pytest.mark.parametrize(
    ("name", "document"), [(name, d) for name, (_, ds) in tables.TABLES.items() for d in ds]
)
def test_documents_have_the_tables_of_the_code(name: str, document: str) -> None:
    text = (DOCS.parent / document).read_text(encoding="utf-8")
    assert tables.renewed(text, name) == text, f"`make tables` writes it into {document}"


def test_a_document_without_the_place_of_a_table_is_named() -> None:
    with pytest.raises(AssertionError, match="no place"):
        tables.renewed("# A page\n", "modules")


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


def test_the_compatibility_document_names_every_option_of_compare() -> None:
    text = (DOCS / "compatibility.md").read_text(encoding="utf-8")
    named = {word.replace("_", "-") for word in re.findall(r"--[a-z][\w-]+", text)}
    command = importlib.import_module("ptyrun.cli.compare").command
    options = {
        parameter.opts[0].replace("_", "-")
        for parameter in command.params
        if parameter.opts[0].startswith("--")
    }
    assert not options - named
    assert not {word for word in named if word not in options | {"--no-save-npz"}}


def test_every_test_that_a_document_cites_exists() -> None:
    root = DOCS.parent
    cited = {
        citation
        for path in [root / "README.md", *DOCS.rglob("*.md")]
        for citation in re.findall(r"`(tests/[\w/]+\.py::\w+)`", path.read_text(encoding="utf-8"))
    }
    missing = set()
    for citation in cited:
        file, _, name = citation.partition("::")
        path = root / file
        if not path.is_file() or f"def {name}(" not in path.read_text(encoding="utf-8"):
            missing.add(citation)
    assert cited
    assert not missing
