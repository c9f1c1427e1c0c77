"""Does the code keep to the arrows of docs/architecture.md?"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from benchmarks.ledgers import run_with_commits

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ptyrun"

SAYING_CALLS = {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"}
GROUND = {
    *{"config", "durations", "errors", "host", "logs", "paths", "progress", "results"},
    "frame_results",
    "resolutions",
    "shares",
    "texts",
}
NOUNS = {"engine", "models", "ptycho", "report", "comparison"}
# Each part of the package, and the parts that it may import beside itself and the ground floor.
MAY_IMPORT = {
    **{part: set[str]() for part in GROUND},
    **{key: set[str]() for key in ("engine", "models", "ptycho")},
    "predictors": {"models"},
    "readers": {"ptycho"},
    "child": {"models"},
    "reconstructors": {"ptycho"},
    "testing": {"models", "ptycho", "training"},
    "backends": {"models", "ptycho", "training"},
    "trainers": {"training"},
    "training": {"engine", "models", "ptycho"},
    "report": {"ptycho"},
    "comparison": {"engine", "models", "ptycho", "report"},
    "stages": NOUNS | {"child"},
    "parallel": NOUNS,
    "background": NOUNS | {"parallel"},
    "door": NOUNS | {"child", "stages", "parallel", "background"},
    "study": NOUNS | {"child", "stages", "parallel", "background", "door", "training"},
    "cli": NOUNS | {"stages", "parallel", "background", "door", "study"},
    "__main__": {"cli"},
}
FRAMEWORKS = {"tensorflow", "keras", "torch", "onnxruntime"}
CLOCKS = {"time", "datetime", "sched", "timeit"}
HEAVY = FRAMEWORKS | {"numpy", "scipy", "skimage", "pandas", "matplotlib", "zarr", "h5py"}
DURABLE_CALLS = {"fsync", "fdatasync", "replace", "rename", "renames"}
MAX_LINES = 400


@dataclass(frozen=True)
class Import:
    """One imported module, where it stands and whether at its module's top."""

    module: str
    line: int
    at_top: bool


def modules(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """``ptyrun.engine.ledger`` belongs to ``engine``."""
    return [*module.split("."), ""][1]


def imports(path: Path) -> Iterator[Import]:
    """Every import of a module, those inside functions and type checks too."""
    body = tree(path).body
    withs = [inner for node in body if isinstance(node, ast.With) for inner in node.body]
    top = {id(node) for node in [*body, *withs]}
    for node in ast.walk(tree(path)):
        at_top = id(node) in top
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno, at_top)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            for name in node.names:
                module = f"{node.module}.{name.name}"
                yield Import(module if is_module(module) else str(node.module), node.lineno, at_top)


def is_module(module: str) -> bool:
    stem = ROOT.joinpath(*module.split("."))
    return stem.with_suffix(".py").is_file() or (stem / "__init__.py").is_file()


def offences(found: Iterator[str]) -> str:
    return "\n".join(found)


def test_every_part_of_the_package_is_placed_in_a_layer() -> None:
    parts = {part_of(dotted(path)) for path in modules(PACKAGE)} - {""}
    assert parts <= set(MAY_IMPORT), "give the new part its place in MAY_IMPORT"


def test_every_import_points_down() -> None:
    def upward() -> Iterator[str]:
        for path in modules(PACKAGE):
            part = part_of(dotted(path))
            allowed = MAY_IMPORT.get(part, set()) | GROUND | {part, ""}
            for found in imports(path):
                if found.module.split(".")[0] == "ptyrun" and part_of(found.module) not in allowed:
                    yield f"{dotted(path)}:{found.line} imports {found.module}"

    assert not offences(upward())


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Types and what is imported inside functions count, too."""
    uses = {
        dotted(path): {found.module for found in imports(path)} - {dotted(path)}
        for path in modules(PACKAGE)
    }
    order = TopologicalSorter(uses)
    try:
        order.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_stages_never_import_each_other() -> None:
    stages = {"plan", "run", "finalize", "report", "status", "preview", "verify", "reuse", "prune"}

    def crossing() -> Iterator[str]:
        for path in modules(PACKAGE / "stages"):
            if path.stem not in stages:
                continue
            for found in imports(path):
                other = found.module.removeprefix("ptyrun.stages.").split(".")[0]
                if found.module.startswith("ptyrun.stages.") and other in stages - {path.stem}:
                    yield f"{dotted(path)}:{found.line} imports {found.module}"

    assert not offences(crossing())


def test_only_backends_import_frameworks_and_only_at_the_top_of_the_module() -> None:
    def strays() -> Iterator[str]:
        for path in modules(PACKAGE):
            for found in imports(path):
                if found.module.split(".")[0] not in FRAMEWORKS:
                    continue
                if part_of(dotted(path)) != "backends" or not found.at_top:
                    yield f"{dotted(path)}:{found.line} imports {found.module}"

    assert not offences(strays())


def test_only_testing_imports_pytest() -> None:
    found = {
        dotted(path) for path in modules(PACKAGE) for i in imports(path) if i.module == "pytest"
    }
    assert found == {"ptyrun.testing", "ptyrun.testing.readers", "ptyrun.testing.trainers"}


def test_backends_are_reached_by_entry_points_alone() -> None:
    def shortcuts() -> Iterator[str]:
        for path in modules(PACKAGE):
            if part_of(dotted(path)) == "backends":
                continue
            for found in imports(path):
                if part_of(found.module) == "backends" and found.module.startswith("ptyrun"):
                    yield f"{dotted(path)}:{found.line} imports {found.module}"

    assert not offences(shortcuts())


def test_ptycho_has_no_clock() -> None:
    def clocks() -> Iterator[str]:
        for path in modules(PACKAGE / "ptycho"):
            for found in imports(path):
                if found.module.split(".")[0] in CLOCKS:
                    yield f"{dotted(path)}:{found.line} imports {found.module}"

    assert not offences(clocks())


def test_only_durable_py_syncs_and_renames() -> None:
    def strays() -> Iterator[str]:
        for path in modules(PACKAGE):
            if path == PACKAGE / "host" / "durable.py":
                continue
            for node in ast.walk(tree(path)):
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id == "os"
                    and node.attr in DURABLE_CALLS
                ) or (
                    isinstance(node, ast.ImportFrom)
                    and node.module == "os"
                    and DURABLE_CALLS & {name.name for name in node.names}
                ):
                    yield f"{dotted(path)}:{node.lineno} touches os.{'/'.join(DURABLE_CALLS)}"

    assert not offences(strays())


def test_only_saying_py_writes_to_a_terminal() -> None:
    """What is said goes through functions that let no text rule the terminal."""
    allowed = {"cli/saying.py", "cli/console.py", "host/hdf5_child.py"}
    # What a stage of a study says in its own process is in its log, and escaped by who shows that.

    def strays() -> Iterator[str]:
        for path in modules(PACKAGE):
            name = path.relative_to(PACKAGE).as_posix()
            if name in allowed or name.startswith("study/"):
                continue
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in SAYING_CALLS:
                    yield f"{dotted(path)}:{node.lineno} calls {ast.unparse(node.func)}"

    assert not offences(strays())


def test_no_error_is_swallowed() -> None:
    """Catching everything is allowed to those who raise again or pass the error on by name."""

    def swallowing() -> Iterator[str]:
        for path in modules(PACKAGE, ROOT / "examples"):
            for node in ast.walk(tree(path)):
                if not isinstance(node, ast.ExceptHandler) or not catches_everything(node):
                    continue
                inside = [inner for statement in node.body for inner in ast.walk(statement)]
                used = any(isinstance(i, ast.Name) and i.id == node.name for i in inside)
                if not used and not any(isinstance(inner, ast.Raise) for inner in inside):
                    yield f"{dotted(path)}:{node.lineno}"

    assert not offences(swallowing())


def catches_everything(handler: ast.ExceptHandler) -> bool:
    named = {node.id for node in ast.walk(handler.type or handler) if isinstance(node, ast.Name)}
    return handler.type is None or bool(named & {"Exception", "BaseException"})


def test_every_module_has_a_docstring_and_at_most_400_lines() -> None:
    def faults() -> Iterator[str]:
        for path in modules(PACKAGE, ROOT / "benchmarks", ROOT / "tests", ROOT / "examples"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > MAX_LINES:
                yield f"{dotted(path)} has {lines} lines"
            if path.is_relative_to(PACKAGE) and ast.get_docstring(tree(path)) is None:
                yield f"{dotted(path)} does not say what it answers"

    assert not offences(faults())


def test_only_a_run_says_where_its_files_are_and_reads_its_plan_and_ledger() -> None:
    calls = ("RunPaths(", "Manifest.load(", "Ledger.open(", "open_ledger(", "Manifest.of(")
    places = [PACKAGE / part for part in ("comparison", "stages", "background", "parallel", "door")]

    def strays() -> Iterator[str]:
        for path in modules(*places, PACKAGE / "cli", ROOT / "benchmarks", ROOT / "examples"):
            if path != PACKAGE / "comparison" / "run.py":
                found = [call for call in calls if call in path.read_text(encoding="utf-8")]
                yield from (f"{dotted(path)} calls {call}...)" for call in found)

    assert not offences(strays())
    naming = {path for path in modules(PACKAGE) if calls[0] in path.read_text(encoding="utf-8")}
    assert naming == {PACKAGE / "comparison" / "run.py"}


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert not [dotted(path) for path in modules(PACKAGE, ROOT / "tests") if path.stem in drawers]


def test_tests_mirror_the_package() -> None:
    rooms = {path.parent for path in modules(PACKAGE) if path.name != "__init__.py"} - {PACKAGE}
    mirrors = {room: ROOT / "tests" / room.relative_to(PACKAGE) for room in rooms}
    unmirrored = {room for room, mirror in mirrors.items() if not list(mirror.glob("test_*.py"))}
    assert not unmirrored


def imported_by(*words: str) -> set[str]:
    """Top-level modules in memory after a command of ptyrun."""
    code = (
        "import sys\n"
        "from ptyrun.cli.main import main\n"
        f"sys.argv = ['ptyrun', *{words!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("compare", "--help")])
def test_asking_for_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    assert not imported_by(*words) & HEAVY


def test_asking_how_far_a_run_is_imports_nothing_heavy(tmp_path: Path) -> None:
    run_with_commits(tmp_path / "run", 20, with_files=True)
    assert not imported_by("status", str(tmp_path / "run")) & HEAVY


def test_no_module_imports_what_takes_half_a_second_for_two_functions() -> None:
    slow = re.compile(r"from scipy\.stats|import scipy\.stats|from scipy import .*\bstats\b")
    assert not [
        dotted(path) for path in modules(PACKAGE) if slow.search(path.read_text(encoding="utf-8"))
    ]
