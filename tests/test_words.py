"""Are the words that users see plain, and is everything public described in full?"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from docs import descriptions, words

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
    r"\bdid not do\b": "did not work",
    r"^whole": "OK: ",
    r"(?<!here )\bis no (?!longer\b|more\b)": "is not a",
    r"(?<!here )\b(?:is|are) none\.?$": "not valid",
    r"\bafresh\b": "start over",
    r"came to nothing": "made no progress",
    r"\bto be had\b": "possible, available",
    r"\bgone on with\b": "resumed",
    r"\btold from\b": "inferred from",
    r"\bleft away\b": "omitted",
    r"\bsay --": "use --",
    r"\bexchanged\b": "swapped",
    r"\bset aside\b": "quarantined (a chunk), moved aside (a folder)",
    r"\bmend\b": "correct, repair",
    r" --(?:pinn|baseline|test|output|tike)_": "options as help spells them",
}


@pytest.fixture(scope="module")
def strings() -> list[tuple[str, str]]:
    return list(words.strings())


@pytest.mark.parametrize("riddle", RIDDLES)
def test_what_users_see_is_said_plainly(riddle: str, strings: list[tuple[str, str]]) -> None:
    found = [f"{place}: {text}" for place, text in strings if re.search(riddle, text)]
    assert not found, f"say: {RIDDLES[riddle]}"


def test_the_list_of_words_has_messages_help_and_pages(strings: list[tuple[str, str]]) -> None:
    texts = [text for _, text in strings]
    assert len(texts) > 1000
    assert any(text.startswith("Wall time this session may use") for text in texts), "help"
    assert any("a duration must be positive and finite" in text for text in texts), "an error"
    assert any(place.endswith("page.html.j2") for place, _ in strings), "the page"


def test_everything_public_is_described_in_full() -> None:
    everything = descriptions.everything()
    lacking = [f"{each.name}: {fault}" for each in everything for fault in each.faults()]
    assert len(everything) > 250
    assert not lacking


@dataclass(frozen=True)
class Half:
    """A thing with a *first* part."""

    first: int
    second: int


def described(values: NDArray[np.float64], side_px: int) -> NDArray[np.float64]:
    """Give something.

    Parameters
    ----------
    values : ndarray
    side : int
    """
    if side_px < 0:
        raise ValueError("no side")
    return values


def test_what_a_description_lacks_is_named() -> None:
    assert [*descriptions.Public("x", described).faults()] == [
        "values has no shape",
        "side_px is not among its Parameters",
        "it has no parameter side",
        "what it returns is not described (NDArray[np.float64])",
        "that it raises ValueError is not described",
    ]
    assert [*descriptions.Public("x", Half).faults()] == ["its field second is not described"]
