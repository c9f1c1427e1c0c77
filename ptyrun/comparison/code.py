"""Which code makes an arm's network, and is it still the code that the run was planned with?

Found as Python would find it, and read without importing it: the top-level package or module of a
factory or of another package's predictor, and what it imports from the folder beside it.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import invalidate_caches
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, PackageNotFoundError, version
from pathlib import Path

from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.model_facts import ModelFacts
from ptyrun.config import Fact
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import IdentityError, ModelError
from ptyrun.host import trees
from ptyrun.models.predictors import find

# What Python runs or loads, and what a network is configured with; data and logs are neither.
SUFFIXES = frozenset(
    {".py", ".so", ".pyd", ".dll", ".dylib", ".pyx", ".c", ".cc", ".cpp", ".cu", ".h", ".cuh"}
    | {".json", ".toml", ".yaml", ".yml", ".ini", ".cfg"}
)
SHA256 = "_code_sha256"
PACKAGE = "_package"
OWN = "ptyrun"  # what it computes has versions of its own, also where it lies beside others' code
_IMPORTS = re.compile(rb"^[ \t]*(?:from[ \t]+([A-Za-z_]\w*)|import[ \t]+([^#;\r\n]+))", re.M)


@dataclass
class Code:
    """The files that a module's code is made of, by their names in it."""

    module: str
    files: dict[str, Path] = field(default_factory=dict)
    unknown: str = ""

    def digest(self, fingerprints: Fingerprints) -> str:
        """SHA-256 of all files, or why it cannot be known."""
        if self.unknown:
            return f"unknown: {self.unknown}"
        return fingerprints.of_files(f"code of {self.module}", self.files)


def code_facts(
    point: EntryPoint, options: Mapping[str, str], fingerprints: Fingerprints
) -> dict[str, Fact]:
    """Facts on the code that an arm's outputs depend on; none where it is ptyrun's own.

    Raises
    ------
    ModelError
        If there is no such module.
    """
    facts: dict[str, Fact] = {}
    for role, module in _modules(point, options).items():
        facts[f"{role}{SHA256}"] = code_of(module).digest(fingerprints)
        with suppress(PackageNotFoundError):
            name = module.partition(".")[0]
            facts[f"{role}{PACKAGE}"] = f"{name} {version(name)}"
    return facts


def code_notes(facts: Mapping[str, Fact]) -> Iterator[str]:
    """Say whose code cannot be watched."""
    for fact, value in facts.items():
        if fact.endswith(SHA256) and str(value).startswith("unknown"):
            role = fact.removesuffix(SHA256)
            yield f"a change of the {role}'s code between two windows would not be noticed: {value}"


def refuse_changed_code(manifest: Manifest, fingerprints: Fingerprints) -> None:
    """See that the code behind each arm still is the one that was planned with.

    Raises
    ------
    IdentityError
        If it is not; the error names the arm and both digests.
    """
    for arm in manifest.arms:
        planned = {fact: value for fact, value in arm.facts.items() if fact.endswith(SHA256)}
        if not planned:
            continue
        model = ModelFacts.of(arm)
        found = code_facts(find(model.backend), model.options, fingerprints)
        for fact, was in planned.items():
            if found.get(fact) != was:
                raise IdentityError(
                    f"the code behind arm {arm.name} changed",
                    why=f"{fact} was {_short(was)}, is {_short(found.get(fact))}; chunks of two "
                    "networks must not be mixed",
                    do="restore the code; or accept the change with `ptyrun compare ... "
                    f"--invalidate {arm.name}`",
                )


def _short(fact: Fact) -> str:
    text = str(fact)
    return f"{text[:12]}…" if len(text) == 64 else text


def _modules(point: EntryPoint, options: Mapping[str, str]) -> dict[str, str]:
    found = {}
    if not point.value.startswith("ptyrun."):
        found["backend"] = point.module
    factory, colon, _ = options.get("factory", "").partition(":")
    if factory and colon:
        found["factory"] = factory
    return found


def code_of(module: str) -> Code:
    """Find the code of *module*'s top-level package, as Python would, without importing it.

    Raises
    ------
    ModelError
        If there is none.
    """
    invalidate_caches()
    code = Code(module)
    waiting = [module]
    seen: set[str] = set()
    tops: set[Path] = set()  # the folders that hold its packages and modules
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        spec = _spec(name)
        if spec is None and name == module:
            raise ModelError(
                f"there is no module {module}",
                why=f"Python looks for it in {', '.join(map(repr, sys.path))}",
                do="install its package, or add its folder to PYTHONPATH",
            )
        if spec is None or (name != module and not _is_beside(spec, tops)):
            continue
        added = _files(spec)
        if not added and name == module:
            code.unknown = f"{module} is {spec.origin or 'no file'}"
        code.files.update(added)
        tops.update(path.parents[name.count("/")] for name, path in added.items())
        if not all(map(_is_installed, added.values())):
            waiting += sorted(_imported(added.values()) - seen - {OWN})
    return code


def _spec(module: str) -> ModuleSpec | None:
    """Find the top-level package; of a folder that is none, the first part below that is one."""
    name, *parts = module.split(".")
    path: Sequence[str] | None = None
    while True:
        spec = _first(name, path)
        # Several packages may share such a folder: only the one that is meant counts.
        if spec is None or not _is_mere_folder(spec) or not parts:
            return spec
        path = list(spec.submodule_search_locations or ())
        name = f"{name}.{parts.pop(0)}"


def _is_mere_folder(spec: ModuleSpec) -> bool:
    return spec.origin is None and spec.submodule_search_locations is not None


def _first(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    # `importlib.util.find_spec` would import the parent of a name with a dot.
    for finder in sys.meta_path:
        with suppress(Exception):  # others' finders may raise anything
            if (spec := finder.find_spec(name, path)) is not None:
                return spec
    return None


def _files(spec: ModuleSpec) -> dict[str, Path]:
    archive = getattr(spec.loader, "archive", None)
    if archive is not None:  # imported from a zip file
        return {Path(archive).name: Path(archive)}
    *folders, name = spec.name.split(".")
    if spec.submodule_search_locations is not None:
        inside = "/".join([*folders, name])
        return {
            f"{inside}/{path.relative_to(folder).as_posix()}": path
            for folder in map(Path, spec.submodule_search_locations)
            for path in _below(folder)
        }
    path = Path(spec.origin or "")
    is_file = spec.has_location and path.is_file()
    return {"/".join([*folders, path.name]): path} if is_file else {}


def _below(folder: Path) -> Iterator[Path]:
    # What is left out because it cannot be listed would be missing in the digest: it is an error.
    for where, folders, names in trees.walk(folder, is_strict=True):
        folders[:] = sorted(n for n in folders if n != "__pycache__" and not n.startswith("."))
        for name in sorted(names):
            path = where / name
            if path.suffix in SUFFIXES and path.is_file():
                yield path


def _imported(files: Iterable[Path]) -> set[str]:
    found: set[str] = set()
    for path in files:
        if path.suffix != ".py":
            continue
        with suppress(OSError):
            for single, several in _IMPORTS.findall(path.read_bytes()):
                words = [single] if single else several.split(b",")
                names = (word.split()[0].partition(b".")[0] for word in words if word.split())
                found.update(name.decode("ascii", "ignore") for name in names)
    return found - {""}


def _is_beside(spec: ModuleSpec, tops: set[Path]) -> bool:
    """Tell whether a module lies in the folder of what imports it, as one's own code does."""
    where = spec.origin or next(iter(spec.submodule_search_locations or ()), None)
    if where is None or _is_installed(Path(where)):
        return False
    place = Path(where).parent
    if spec.submodule_search_locations is not None and spec.origin is not None:
        place = place.parent
    return place in tops


def _is_installed(path: Path) -> bool:
    return not _SHELVES.isdisjoint(path.parts) or path.is_relative_to(_STDLIB)


_SHELVES = frozenset({"site-packages", "dist-packages"})
_STDLIB = Path(sysconfig.get_path("stdlib"))
