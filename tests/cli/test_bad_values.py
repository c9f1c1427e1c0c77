"""What is said of a value that an option does not take? What, why, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.studies import ptyrun


@pytest.mark.parametrize(
    ("word", "value", "must_be"),
    [
        ("--pixel-size-m", "25", "a number that is greater than 0 and at most 0.001 metres"),
        ("--pixel-size-m", "25nm", "a number that is greater than 0 and at most 0.001 metres"),
        ("--grouping-seed", "1.5", "a whole number that is at least 0"),
        ("--r-factor-frames", "0", "a whole number that is at least 1 or all"),
        ("--pinn-phase-vmin", "pi", "a number that is finite, in radians"),
        ("--plot-scale", "both", "common or per-arm"),
        ("--neighbor-count", "x", "a whole number that is at least 1"),
    ],
)
def test_a_value_of_another_kind_or_range_says_what_is_taken(
    word: str, value: str, must_be: str
) -> None:
    done = ptyrun("compare", f"{word}={value}")
    assert done.returncode == 2
    what, why, do = done.stderr.splitlines()
    assert what.startswith(f"error: invalid {word}: ") and value in what
    assert why == f"  why: it must be {must_be}"
    assert do == f"  do:  correct {word}; `ptyrun compare --help` says what it is"


def test_a_duration_and_a_file_that_are_none_say_it_in_three_parts(tmp_path: Path) -> None:
    for words in (
        ("compare", "--window=soon"),
        ("status", str(tmp_path), "--every=soon"),
        ("doctor", str(tmp_path / "nowhere")),
        ("export",),
    ):
        done = ptyrun(*words)
        assert done.returncode == 2
        what, why, do = done.stderr.splitlines()
        assert (what[:7], why[:7], do[:7]) == ("error: ", "  why: ", "  do:  ")
