"""A run under way is followed on a page that loads itself again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

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
