"""Are the words that users see plain, and is everything public described in full?"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ptyrun
from docs import words

# What reads as a riddle, or as a person where a process is meant, with what is said in its place.
RIDDLES = {
    r"\bnobody\b|\bsomebody\b|\bwhoever\b": "name the process, the user or the program",
    r"\bin vain\b": "failed, without success",
    r"\banew\b": "again",
    r"\bof late\b": "recently",
    r"\bvouch": "record the checksum of",
    r"\bmakes? no sense\b": "invalid ...: VALUE",
    r"carr(?:y|ies) nothing": "no usable values",
    r"nothing can be done in no time": "a duration must be positive and finite",
    r"\bso many\b": "N",
    r"\bdid not do\b": "did not fit",
    r"^whole: ": "OK: ",
}


@pytest.mark.parametrize("riddle", RIDDLES)
def test_what_users_see_is_said_plainly(riddle: str) -> None:
    found = [f"{place}: {text}" for place, text in words.strings() if re.search(riddle, text)]
    assert not found, f"say: {RIDDLES[riddle]}"


def test_the_list_of_words_has_messages_help_and_pages(tmp_path: Path) -> None:
    texts = [text for _, text in words.strings()]
    assert len(texts) > 1000
    assert any(text.startswith("Wall time this session may use") for text in texts), "help"
    assert any("a duration must be positive and finite" in text for text in texts), "an error"
    assert any(place.endswith("page.html.j2") for place, _ in words.strings()), "the page"


def public() -> Iterator[tuple[str, object]]:
    """Everything that `import ptyrun` offers, with the public methods of its classes."""
    for name in ptyrun.__all__:
        found = getattr(ptyrun, name)
        if inspect.isfunction(found):
            yield name, found
        elif inspect.isclass(found):
            yield name, found
            for member, value in vars(found).items():
                if not member.startswith("_") and inspect.isfunction(value):
                    yield f"{name}.{member}", value


def missing(name: str, found: object) -> Iterator[str]:
    """Name what a docstring lacks."""
    said = inspect.getdoc(found) or ""
    if not said:
        yield f"{name}: no docstring"
    if not inspect.isfunction(found):
        return
    code = found.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    parameters = [p for p in code.co_varnames[:count] if p not in ("self", "cls")]
    if parameters and "Parameters\n---" not in said:
        yield f"{name}: no section Parameters"
    for each in parameters:
        if not re.search(rf"^(?:\w+, )*{each}\b.*$", said, re.M):
            yield f"{name}: {each} is not described"
    returns = found.__annotations__.get("return")
    if returns not in (None, "None") and "Returns\n---" not in said:
        yield f"{name}: no section Returns"


def test_everything_public_is_described_in_full() -> None:
    everything = list(public())
    lacking = [fault for name, found in everything for fault in missing(name, found)]
    print(f"{len(everything)} public names, {len(lacking)} faults")
    assert len(everything) > 20
    assert not lacking
