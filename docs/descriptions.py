"""Is everything public described in full? `python -m docs.descriptions` counts what is, and is not.

Public is what the modules in `DOORS` list in ``__all__``, and every function and class without a
leading underscore of the packages in `SCIENCE`. What is asked of a description is numpydoc's: each
parameter with its type, in order (PR01 to PR04 of its validator), what is returned (RT01), and
besides a shape for every array and each error that the function itself raises.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

DOORS = (
    *("ptyrun", "ptyrun.predictors", "ptyrun.readers", "ptyrun.trainers"),
    *("ptyrun.reconstructors", "ptyrun.testing", "ptyrun.study"),
)
SCIENCE = ("ptyrun.ptycho.metrics", "ptyrun.ptycho.geometry", "ptyrun.ptycho.simulation")
# How a shape is written: (H, W), (n, 2), (B, N, N, C), (side,); or in words.
SHAPE = re.compile(r"\([^()\s]+,\s*[^()]*\)|\bscalar\b|\bof any shape\b|\bsame shape\b|\bshape\b")
ARRAY = re.compile(r"\b(?:ND|Complex|Float|Bool|Int)?Array\b|\bArrayLike\b|\bImage\b|\bMask\b")


@dataclass(frozen=True)
class Public:
    """One public name, and what it stands for."""

    name: str
    found: object

    def faults(self) -> Iterator[str]:
        """Say what its description lacks."""
        said = inspect.getdoc(self.found) or ""
        if not said.strip():
            yield "no description"
        elif inspect.isclass(self.found):
            yield from _of_class(self.found, said)
        elif inspect.isfunction(self.found):
            yield from _of_function(self.found, said)


def everything() -> list[Public]:
    """Give every public function, class, method and property, each once."""
    found: dict[int, Public] = {}
    for name, value in _offered():
        for each in _with_members(name, value):
            found.setdefault(id(each.found), each)
    return sorted(found.values(), key=lambda each: each.name)


def _offered() -> Iterator[tuple[str, object]]:
    for door in DOORS:
        module = importlib.import_module(door)
        for name in module.__all__:
            if name != "__version__":
                yield f"{door}.{name}", getattr(module, name)
    for package in SCIENCE:
        path = importlib.import_module(package).__path__
        for info in pkgutil.iter_modules(path, f"{package}."):
            for name, value in vars(importlib.import_module(info.name)).items():
                is_own = getattr(value, "__module__", "") == info.name
                if is_own and not name.startswith("_") and callable(value):
                    yield f"{info.name}.{name}", value


def _with_members(name: str, value: object) -> Iterator[Public]:
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return
    yield Public(name, value)
    if not inspect.isclass(value):
        return
    for member, held in vars(value).items():
        # What a contract tests is said by the name of each test.
        if member.startswith(("_", "test_")):
            continue
        if isinstance(held, classmethod | staticmethod):
            yield Public(f"{name}.{member}", held.__func__)
        elif isinstance(held, property):
            yield Public(f"{name}.{member}", held.fget)
        elif inspect.isfunction(held):
            yield Public(f"{name}.{member}", held)


def _of_class(kind: type, said: str) -> Iterator[str]:
    if not dataclasses.is_dataclass(kind) or issubclass(kind, BaseException | enum.Enum):
        return
    fields = [field.name for field in dataclasses.fields(kind)]
    for name in fields:
        if not name.startswith("_") and not re.search(rf"\b{name}\b", said):
            yield f"its field {name} is not described"
    sections = _sections(said)
    for name in _named(sections.get("Attributes", "") + sections.get("Parameters", "")):
        if name not in fields:
            yield f"it has no field {name}"


def _of_function(function: object, said: str) -> Iterator[str]:
    function = inspect.unwrap(function)  # type: ignore[arg-type]
    assert inspect.isfunction(function)
    sections = _sections(said)
    code = function.__code__  # not the signature: that of `compare` lists each option
    count = code.co_argcount + code.co_kwonlyargcount
    variadic = bool(code.co_flags & inspect.CO_VARARGS) + bool(
        code.co_flags & inspect.CO_VARKEYWORDS
    )
    notes = {n: str(a) for n, a in function.__annotations__.items()}
    named = _named(sections.get("Parameters", ""))
    names = code.co_varnames[: count + variadic]
    parameters = [name for name in names if name not in ("self", "cls")]
    for name in parameters:
        if name not in named:
            yield f"{name} is not among its Parameters"
        elif ARRAY.search(notes.get(name, "")) and not SHAPE.search(named[name]):
            yield f"{name} has no shape"
    if unknown := [name for name in named if name not in parameters]:
        yield f"it has no parameter {', '.join(unknown)}"
    elif [name for name in named if name in parameters] != [p for p in parameters if p in named]:
        yield "its Parameters are in another order"
    given = notes.get("return", "None")
    if given not in ("None", "NoReturn", "Self") and not _is_property(function):
        told = sections.get("Returns", "") + sections.get("Yields", "")
        if not told.strip():
            yield f"what it returns is not described ({given})"
        elif ARRAY.search(given) and not SHAPE.search(told):
            yield "what it returns has no shape"
    for error in sorted(_raised(function)):
        if error not in sections.get("Raises", ""):
            yield f"that it raises {error} is not described"


def _is_property(function: object) -> bool:
    """Tell what is read like a field: its one line says what it is."""
    assert inspect.isfunction(function)
    owner = sys.modules[function.__module__]
    for part in function.__qualname__.split("."):
        owner = inspect.getattr_static(owner, part, None)  # type: ignore[assignment]
    return isinstance(owner, property)


def _sections(said: str) -> dict[str, str]:
    """Cut a docstring into numpydoc's sections."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", said, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _named(section: str) -> dict[str, str]:
    """Give each parameter of a section with what is said of it, type included."""
    found: dict[str, str] = {}
    heads = list(re.finditer(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: :|$)", section, re.M))
    for head, after in zip(heads, [*heads[1:], None], strict=False):
        text = section[head.start() : after.start() if after else None]
        found.update({name.strip().lstrip("*"): text for name in head[1].split(",")})
    return found


def _raised(function: object) -> set[str]:
    assert inspect.isfunction(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise))
    named = {
        call.func.id
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
    return {name for name in named if name.endswith("Error") and not name.startswith("_")}


def main() -> int:
    """Print each fault, then the count."""
    found = everything()
    faulty = {each.name: list(each.faults()) for each in found}
    for name, faults in faulty.items():
        for fault in faults:
            print(f"{name}: {fault}")
    whole = sum(not faults for faults in faulty.values())
    print(f"{whole} of {len(found)} public names are described in full")
    return int(whole != len(found))


if __name__ == "__main__":
    sys.exit(main())
