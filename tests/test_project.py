"""Do the project's own files agree with each other?"""

from __future__ import annotations

import ast
import os
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import ptyrun
from docs import package_page

ROOT = Path(__file__).resolve().parents[1]
TEXT = {".py", ".md", ".cfg", ".toml", ".txt", ".sh", ".yml", ".j2", ".ipynb", ".sbatch", ""}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every text file under version control."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout: there is no list of the project's files")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.suffix in TEXT and path.is_file()]


def make(*words: str) -> subprocess.CompletedProcess[str]:
    # The make that runs these tests hands down its own flags and variables.
    settings = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "HUB", "WINDOW", "DOSE", "VIEW", "RECON", "RUN"}
    clean = {name: value for name, value in os.environ.items() if name not in settings}
    return subprocess.run(
        ["make", *words], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )


def makefile_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {
        target
        for line in re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
        for target in line.split()
    }


def test_make_alone_prints_a_help_that_names_every_target() -> None:
    done = make()
    assert done.returncode == 0, done.stderr
    listed = set(re.findall(r"^  ([a-z-]+) ", done.stdout, re.MULTILINE))
    assert listed == makefile_targets()


def test_every_make_command_in_the_documents_exists(tracked: list[Path]) -> None:
    documents = [path for path in tracked if path.suffix == ".md"]
    named = {
        target
        for path in documents
        for block in re.findall(r"```.*?```|`[^`\n]+`", path.read_text(encoding="utf-8"), re.S)
        for target in re.findall(r"(?:^|[`\s;&])make +([a-z][a-z-]*)", block)
    }
    assert {"demo", "test"} <= named
    assert named <= makefile_targets()


def test_every_link_in_the_documents_leads_somewhere(tracked: list[Path]) -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {link}"
        for path in tracked
        if path.suffix == ".md"
        for link in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
        if "://" not in link and not (path.parent / link).exists()
    ]
    assert not dead


def test_the_version_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == ptyrun.__version__ == metadata.version("ptyrun")


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == ptyrun.__version__
    assert f"\nlicense = {citation['license']}\n" in (ROOT / "setup.cfg").read_text()
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_a_package_index_shows_the_readme_without_dead_links() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    stored = package_page.PAGE.read_text(encoding="utf-8")
    assert stored == package_page.page(readme), "`make tables` writes it"
    for text in (stored, package_page.page(readme, "https://example.org/")):
        targets = re.findall(r"\]\(([^)\s]+)", text)
        assert [target for target in targets if "://" not in target] == []
    with_address = package_page.page(readme, "https://example.org/")
    assert "](https://example.org/docs/" in with_address


def test_every_dependency_is_pinned_by_the_constraints() -> None:
    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {canonical(line.partition("==")[0]) for line in lines if "==" in line}
    required = {
        canonical(re.split(r"[\s\[<>=!~;(]", text, maxsplit=1)[0])
        for text in metadata.requires("ptyrun") or []
    }
    assert required
    assert required <= pinned


def test_no_file_names_a_folder_of_one_machine(tracked: list[Path]) -> None:
    machine = re.compile(r"(?<![\w./~}-])/(?:home|Users|root|work|mnt|farm)/\w")
    named = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if machine.search(line) or str(ROOT) + os.sep in line
    ]
    assert not named


def test_every_skip_in_the_tests_gives_its_reason() -> None:
    def gives_reason(call: ast.Call, name: str) -> bool:
        words = {word.arg for word in call.keywords}
        return "reason" in words or (name == "skip" and bool(call.args))

    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"skip", "skipif", "xfail", "importorskip"}
        and not gives_reason(node, node.func.attr)
    ]
    assert not silent
