"""A run under way is followed on a page that loads itself again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ptyrun.cli import following
from ptyrun.comparison.live_page import Reload
from ptyrun.host.children import ptyrun_words
from ptyrun.paths import RunPaths
from ptyrun.stages import finalize, plan, run
from tests.stages import finished_run
from tests.studies import TRUSTED, Study

PATIENCE_S = 300.0


def refreshes(page: Path) -> list[str]:
    return re.findall(r'http-equiv="refresh" content="([^"]*)"', page.read_text())


def until(holds: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < limit_s
        time.sleep(0.1)


class Left:
    """A run under way, until a signal comes while it is looked at again."""

    def __init__(self, end: BaseException) -> None:
        self.end = end
        self.said: list[tuple[str, Reload]] = []

    def status(self) -> SimpleNamespace:
        if self.said:
            raise self.end
        return SimpleNamespace(groups_committed=1, finalized=False)

    def preview(self, output: Path | None, reload: Reload) -> SimpleNamespace:
        self.said.append(("written", reload))
        let_stand = partial(self._note, "left")
        return SimpleNamespace(page="index.html", let_stand=let_stand)

    def _note(self, what: str, reload: Reload) -> None:
        self.said.append((what, reload))


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(75)])
def test_a_page_that_is_left_does_not_go_on_loading_itself(end: BaseException) -> None:
    left, reload = Left(end), Reload(0.01)
    with pytest.raises(type(end)):
        following.follow(cast(Any, left), None, reload, lambda found: found.finalized)
    assert left.said == [("written", reload), ("left", reload)]


@pytest.mark.slow  # quick beside it: tests/stages/test_preview.py, what a watched page says
def test_report_watch_shows_what_is_there_and_leads_to_the_report_when_it_is_finished(
    study: Study, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    plan.plan(study.config(folder))
    paths = RunPaths(folder)
    page = paths.preview / "index.html"
    watching = subprocess.Popen(
        [sys.executable, "-m", "ptyrun", "report", str(folder), "--watch", "--every", "1s"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until(page.exists)
        before = page.read_text()
        assert refreshes(page) == ["1"]
        assert "nothing committed yet of 40 groups" in before
        run.run(folder, TRUSTED)
        until(lambda: "40 of 40 groups (100 %)" in page.read_text())
        finalize.finalize(folder)
        said, _ = watching.communicate(timeout=PATIENCE_S)
    finally:
        watching.kill()
    assert watching.returncode == 0
    report = paths.report / "index.html"
    assert said.split() == [str(page), str(report)]
    assert refreshes(report) == [], "a finished page is what it is"
    assert refreshes(page) == ["0; url=../report/index.html"]


def test_report_open_asks_the_browser_for_the_page(tmp_path: Path) -> None:
    asked, run_dir = tmp_path / "asked", tmp_path / "run"
    finished_run.write(run_dir)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {asked}\n')
    browser.chmod(0o755)
    done = subprocess.run(
        ptyrun_words("report", str(run_dir), "--open"),
        env={**os.environ, "BROWSER": f"{browser} %s"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert asked.read_text().strip() == (run_dir / "report/index.html").as_uri()
