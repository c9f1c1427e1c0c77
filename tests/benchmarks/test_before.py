"""Are figures held against those of an earlier revision, where there is one?"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import before
from benchmarks.figures import Scale


def test_steps_are_added_up_by_what_they_find() -> None:
    took_s = {
        "assemble pinn": 1.0,
        "measure pinn": 2.0,
        "compare pinn": 4.0,
        "compare pinn with other": 8.0,
        "frames of pinn": 16.0,
        "intervals": 32.0,
        "judge the scan": 64.0,
        "write": 128.0,
    }
    assert before.by_age({name: {"took_s": each} for name, each in took_s.items()}) == (3.0, 60.0)


def test_both_are_held_against_what_figures_took_then() -> None:
    rounds = [{"before": (2.0, 0.0), "now": (1.0, 0.5)}, {"before": (4.0, 0.0), "now": (4.0, 3.0)}]
    own, all_together = before.judged(rounds)
    assert (own.value, own.met) == (0.75, True)
    assert (all_together.value, all_together.met) == (1.25, True)
    assert "3.00 s before" in own.note


def test_another_revision_has_a_folder_while_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> str:
        made = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path / "repo")]
        return subprocess.run([*made, *words], check=True, capture_output=True, text=True).stdout

    (tmp_path / "repo").mkdir()
    git("init", "--quiet")
    (tmp_path / "repo/text").write_text("then")
    git("add", "text")
    git("commit", "--quiet", "--message", "first")
    first = git("rev-parse", "HEAD").strip()
    (tmp_path / "repo/text").write_text("now")
    git("commit", "--quiet", "--all", "--message", "second")
    monkeypatch.setattr(before, "ROOT", tmp_path / "repo")
    with before.checked_out(first, tmp_path / "there") as there:
        assert (there / "text").read_text() == "then"
    assert not (tmp_path / "there").exists()
    assert git("worktree", "list").count("\n") == 1


def test_without_models_or_history_it_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scale = Scale(rounds=1, quick=True, scratch=tmp_path / "scratch", shared=tmp_path)
    assert before.measure(scale) == []
    assert "no reference models" in capsys.readouterr().err
    (tmp_path / "golden/hub").mkdir(parents=True)
    monkeypatch.setattr(before, "ROOT", tmp_path)
    assert before.measure(scale) == []
    assert "left out" in capsys.readouterr().err
