from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.errors import NewerError, SchemaError
from ptyrun.host.documents import Document, Upgrade, sealed, text_of


def _in_pixels(document: dict[str, Any]) -> dict[str, Any]:
    size = document.pop("size")
    return {**document, "size_px": size}


@dataclass(frozen=True)
class Note(Document):
    """Called ``size`` in version 1, without words in version 2."""

    NAME: ClassVar[str] = "note.json"
    SCHEMA: ClassVar[int] = 3
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {1: _in_pixels}
    REMEDY: ClassVar[str] = "delete it"

    size_px: int
    words: tuple[str, ...] = ()

    def check(self) -> None:
        """No size is negative."""
        if self.size_px < 0:
            raise ValueError(f"its size is {self.size_px}")


@dataclass(frozen=True)
class OpenNote(Note):
    """The same without a seal."""

    IS_SEALED: ClassVar[bool] = False


@dataclass(frozen=True)
class HandNote(OpenNote):
    """One that people write."""

    IS_BY_HAND: ClassVar[bool] = True


notes = st.builds(Note, st.integers(0, 2**40), st.lists(st.text()).map(tuple))


@given(notes)
def test_a_document_comes_back_as_it_was(note: Note) -> None:
    assert Note.from_json(note.to_json()) == note


def test_a_document_is_saved_loaded_and_found(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    assert Note.find(path) is None
    with pytest.raises(FileNotFoundError):
        Note.load(path)
    Note(3, ("a",)).save(path)
    assert Note.load(path) == Note.find(path) == Note(3, ("a",))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SchemaError) as refused:
        Note.load(path)
    assert str(path) in refused.value.what


@pytest.mark.parametrize(
    "stored",
    [{"schema": 1, "size": 3}, {"schema": 2, "size_px": 3}, {"schema": 3, "size_px": 3}],
)
@pytest.mark.parametrize("kind", [Note, OpenNote])
def test_a_document_of_any_older_schema_is_upgraded_on_reading(
    kind: type[Note], stored: dict[str, Any]
) -> None:
    text = sealed(stored) if kind.IS_SEALED else text_of(stored)
    assert kind.from_json(text) == kind(3)


def test_a_newer_document_is_called_newer_whatever_it_holds() -> None:
    with pytest.raises(NewerError) as refused:
        Note.from_json(sealed({"schema": 4, "area": [1]}))
    assert "note.json has schema 4: it was written by a newer ptyrun" in str(refused.value)
    assert "upgrade ptyrun" in refused.value.do


def test_a_field_that_is_not_known_is_newer_where_no_person_wrote_it() -> None:
    stored = {"schema": 3, "size_px": 3, "area": 9}
    for kind, text in ((Note, sealed(stored)), (OpenNote, text_of(stored))):
        with pytest.raises(NewerError, match=r"note\.json was written by a newer") as refused:
            kind.from_json(text)
        assert "unknown field 'area'" in refused.value.why
    with pytest.raises(SchemaError, match=r"this is not a valid note\.json") as mistaken:
        HandNote.from_json(text_of(stored))
    assert not isinstance(mistaken.value, NewerError)


def test_a_document_that_is_damaged_is_as_good_as_none_and_a_newer_one_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "note.json"
    assert Note.find_sound(path) is None
    path.write_text("{}")
    assert Note.find_sound(path) is None
    Note(3).save(path)
    assert Note.find_sound(path) == Note(3)
    path.write_text(sealed({"schema": 4}))
    with pytest.raises(NewerError):
        Note.find_sound(path)


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"schema": 0, "size_px": 3},
        {"schema": -1, "size_px": 3},
        {"schema": True, "size": 3},
        {"schema": "3", "size_px": 3},
        {"schema": 1, "size_px": 3},
        {"schema": 3, "size_px": "3"},
        {"schema": 3, "size_px": -3},
        {"schema": 2, "size_px": 3, "area": 9},
    ],
    ids=str,
)
def test_what_is_no_such_document_is_refused_with_its_name(stored: dict[str, Any]) -> None:
    for kind, text in ((Note, sealed(stored)), (OpenNote, text_of(stored))):
        with pytest.raises(SchemaError, match=r"this is not a valid note\.json") as refused:
            kind.from_json(text)
        assert not isinstance(refused.value, NewerError)


def test_a_changed_character_of_an_older_document_is_noticed() -> None:
    text = sealed({"schema": 1, "size": 3})
    for place, character in enumerate(text):
        changed = text[:place] + chr(ord(character) ^ 1) + text[place + 1 :]
        with pytest.raises(SchemaError, match=r"this is not a valid note\.json"):
            Note.from_json(changed)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["schema", "size", "size_px", "words"]) | st.text(max_size=3)


@given(st.dictionaries(names, plain, max_size=5))
def test_any_document_is_read_or_refused(stored: dict[str, Any]) -> None:
    for kind, text in ((Note, sealed(stored)), (OpenNote, json.dumps(stored))):
        try:
            assert kind.from_json(text).size_px >= 0
        except SchemaError:
            continue
