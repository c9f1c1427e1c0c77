"""Are a log's last lines its last lines, and is nothing lost while following it?"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from tempfile import NamedTemporaryFile

from hypothesis import given
from hypothesis import strategies as st

from ptyrun.background import tail
from ptyrun.background.tail import follow, last_lines


@given(
    st.lists(st.text(st.sampled_from("aé☃"), max_size=5), max_size=12),
    st.integers(0, 14),
    st.integers(1, 9),
    st.booleans(),
)
def test_the_last_lines_are_those_that_reading_it_all_gives(
    lines: list[str], n_lines: int, block_bytes: int, ends: bool
) -> None:
    text = "\n".join(lines) + ("\n" if ends and lines else "")
    before, tail._BLOCK_BYTES = tail._BLOCK_BYTES, block_bytes
    try:
        with NamedTemporaryFile() as file:
            Path(file.name).write_text(text, encoding="utf-8")
            said = last_lines(Path(file.name).parent, Path(file.name).name, n_lines)
    finally:
        tail._BLOCK_BYTES = before
    kept = text.splitlines(keepends=True)
    assert said == "".join(kept[max(0, len(kept) - n_lines) :])


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert last_lines(tmp_path, "none.log", 5) == ""


def test_following_gives_every_line_once_until_the_writer_is_gone(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("old\nline 0\n")
    numbers = range(1, 40)

    def write() -> None:
        with log.open("a") as file:
            for number in numbers:
                print("line", number, file=file, flush=True)
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    said = "".join(follow(log.parent, log.name, 1, lambda: not writer.is_alive()))
    writer.join()
    assert said.splitlines()[-len(numbers) :] == [f"line {number}" for number in numbers]
    assert "old" not in said
