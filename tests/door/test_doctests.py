"""The examples in the docstrings of the door do what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import ptyrun
import ptyrun.door
from tests.door.conftest import Example

MODULES = [
    "ptyrun",
    *(f"ptyrun.door.{each.name}" for each in pkgutil.iter_modules(ptyrun.door.__path__)),
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str, example: Example) -> None:
    names = {"example": example, "run": ptyrun.open_run(example.folder)}
    failed, _ = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert failed == 0


def test_what_the_door_offers_has_examples_parameters_and_errors() -> None:
    for name in ("compare", "plan", "evaluate", "open_run", "open_scan", "open_reconstruction"):
        said = inspect.getdoc(getattr(ptyrun, name)) or ""
        for section in ("Parameters", "Returns", "Raises", "Examples"):
            assert f"\n{section}\n" in said, (name, section)
