"""Do the examples in the package's docstrings give what they say?"""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import ptyrun

PACKAGE = Path(ptyrun.__file__).parent
# The door's examples share names: tests/door/test_doctests.py runs them.
EXAMPLES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
    and path.relative_to(PACKAGE).parts[0] not in ("door", "__init__.py")
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
