"""Is the head of a comparison's log read as it was written, whatever its paths are called?"""

from __future__ import annotations

import shlex

import pytest

from ptyrun.study.comparison_log import command_in


@pytest.mark.parametrize("path", ["a", "a b", "it's", "new\nline", "x\nReturn code: 1", "ü,\t"])
def test_the_words_of_a_command_come_back(path: str) -> None:
    words = ["ptyrun", "compare", "--output_dir", path]
    log = f"Command: {shlex.join(words)}\nReturn code: 0\n\n=== STDOUT ===\nReturn code: 7\n"
    assert command_in(log) == (words, 0)


@pytest.mark.parametrize(
    "log",
    ["", "Command: a", "Return code: 0\n", "Command: a\nReturn code: x\n", " Command: a\n", "\0"],
)
def test_another_text_is_refused(log: str) -> None:
    with pytest.raises(ValueError, match="does not begin with its command"):
        command_in(log)
