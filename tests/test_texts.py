"""Can a text that somebody else wrote do anything to a terminal or a spreadsheet?"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.texts import (
    as_cell,
    below_its_first_line,
    encodable,
    enumerated,
    is_plain,
    one_line,
    shown,
)


@given(st.text(st.characters(codec=None)))
def test_nothing_that_is_shown_is_obeyed(text: str) -> None:
    categories = {unicodedata.category(each) for each in shown(text) if each not in "\n\t"}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown(text).encode()


@pytest.mark.parametrize("text", ["PtychoPINN", "10\u00a0µm, (a|b)", "Größe 3 Å", "试样", ""])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert is_plain(text)
    assert shown(text) == text


@pytest.mark.parametrize("text", ["\x1b]0;x\x07", "a\rb", "a\x9bb", "a\u202eb", "a\u2066b", "a\nb"])
def test_control_characters_and_turned_writing_are_not_plain(text: str) -> None:
    assert not is_plain(text)


def test_lines_and_tabs_stay_and_escapes_are_written_out() -> None:
    assert shown("a\n\tb\x1b[2J\u202e\udcff") == "a\n\tb\\x1b[2J\\u202e\\udcff"


@given(st.text(st.characters(codec=None)))
def test_a_part_of_a_line_stays_on_it_and_is_not_obeyed(text: str) -> None:
    assert not {unicodedata.category(each) for each in one_line(text)} & {"Cc", "Cf", "Zl", "Zp"}
    assert len(one_line(text).splitlines()) <= 1


def test_other_lines_than_the_first_are_indented() -> None:
    assert below_its_first_line("a\nerror: b\n", "  ") == "a\n  error: b\n  "


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_cell_is_no_formula(first: str) -> None:
    assert as_cell(f"{first}cmd|' /C calc'!A0").startswith(f"'{one_line(first)}")


@pytest.mark.parametrize("text", ["PtychoPINN", "", "-0.5", "+1e-3", "-inf", "-7", "a=b"])
def test_other_cells_and_numbers_stay(text: str) -> None:
    assert as_cell(text) == text


@pytest.mark.parametrize("text", ["-1+1", "+1_0", "-1 ", "-٣", "-"])
def test_what_is_not_quite_a_number_is_no_formula(text: str) -> None:
    assert as_cell(text) == f"'{text}"


@given(st.text(st.characters(codec=None)))
def test_every_cell_can_be_written_as_utf_8(text: str) -> None:
    as_cell(text).encode()


@given(st.text(st.characters(codec=None)))
def test_no_cell_is_obeyed_by_a_terminal(text: str) -> None:
    categories = {unicodedata.category(each) for each in as_cell(text)}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_halves_of_characters_and_bytes_of_names_are_spelt_out_and_the_rest_stays() -> None:
    assert encodable("a\ud800b\udcfc\tß") == "a\\ud800b\\xfc\tß"


def test_of_a_great_many_names_the_first_are_named() -> None:
    assert enumerated(["a", "b"]) == "a, b"
    assert enumerated(f"n{n}" for n in range(10**6)).endswith("n18, n19, and more")
    assert len(enumerated(["x" * 10**6] * 100)) < 10**4
