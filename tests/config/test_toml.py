from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptyrun.config.toml import dumps

TEXTS = st.text()  # surrogates are no characters, and hypothesis gives none
SCALARS = st.one_of(
    TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(document)) == document


@given(st.text(st.characters(), max_size=20).map(lambda text: f"{text}\udcfc"))
def test_what_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(UnicodeEncodeError):
        dumps({"test_data": name})
