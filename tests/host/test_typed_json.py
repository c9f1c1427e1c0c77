"""Is a document taken only with the fields and types that its class says?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.host.typed_json import build, parse, parse_any


@dataclass(frozen=True)
class Inner:
    value: float | None = None


@dataclass(frozen=True)
class Outer:
    name: str
    count: int
    pair: tuple[int, int]
    row: tuple[str, ...] = ()
    inner: Mapping[str, Inner] = field(default_factory=dict)
    fact: str | int | float | bool | None = None


GOOD = {"name": "a", "count": 1, "pair": [1, 2], "row": ["x"], "inner": {"i": {"value": 1}}}


def test_a_document_becomes_its_class() -> None:
    assert build(Outer, GOOD) == Outer("a", 1, (1, 2), ("x",), {"i": Inner(1)})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": 1}, "'name' is of the wrong type: int"),
        ({"count": True}, "'count' is of the wrong type: bool"),
        ({"count": 1.0}, "'count' is of the wrong type: float"),
        ({"pair": [1]}, "'pair' has 1 entries, not 2"),
        ({"row": "xyz"}, "'row' is of the wrong type: str"),
        ({"inner": []}, "'inner' is of the wrong type: list"),
        ({"inner": {"i": 3}}, "inner.i is not a JSON object"),
        ({"inner": {"i": {"value": "x"}}}, "'inner.i.value' is of the wrong type: str"),
        ({"inner": {"i": {"value": float("nan")}}}, "'inner.i.value' is of the wrong type"),
        ({"fact": [1]}, "'fact' is of the wrong type: list"),
        ({"more": 1}, "unknown field 'more'"),
    ],
)
def test_another_type_is_named_with_its_field(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match="^" + why.replace(".", r"\.").replace("[", r"\[")):
        build(Outer, GOOD | change)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValueError, match="field 'name' is missing"):
        build(Outer, {})


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "[" * 100_000, "", "{"])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@given(st.sampled_from([*GOOD, "fact"]), st.none() | st.text() | st.floats() | st.lists(st.none()))
def test_whatever_a_field_holds_it_is_taken_or_refused(name: str, value: Any) -> None:
    try:
        build(Outer, GOOD | {name: value})
    except ValueError as error:
        assert name in str(error)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "c": 2, "a": 3}}]'])
def test_a_name_that_is_there_twice_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="'a' is there twice"):
        parse(text)


def test_json_of_others_has_numbers_that_are_none_and_still_no_nesting_without_end() -> None:
    assert parse_any('{"a": Infinity}') == {"a": float("inf")}
    for read in (parse, parse_any):
        with pytest.raises(ValueError, match="nested too deeply"):
            read("[" * 100_000)
