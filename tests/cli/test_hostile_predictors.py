"""Predictors that break in every way, through the command line: how does each end?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tests.hostile import N_CHUNKS, Victim, install

COMPLETE, FAILED, BLOCKED, INCOMPLETE = 0, 1, 3, 75
KILLER = 3
# What docs/compatibility.md states for another batch shape, of the largest value.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def good(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Victim:
    """The comparison with a predictor that does nothing wrong."""
    victim = Victim.in_folder(site, tmp_path_factory.mktemp("good"))
    done = victim.ptyrun(*victim.words())
    assert done.returncode == COMPLETE, done.stderr
    return victim


def victim_of(site: Path, folder: Path, **does: Any) -> Victim:
    return Victim.in_folder(site, folder, **does)


def walled(site: Path, folder: Path, **does: Any) -> Victim:
    """With the predictor in a process of its own."""
    return Victim.in_folder(site, folder, inline=False, **does)


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        ("0", "all-zero"),
        ("0.5+0.5j", "constant"),
        ("nan", "non-finite"),
        ("inf", "non-finite"),
        ("huge", "too-large"),
        ("the first", "collapsed"),
        ("one too few", "wrong-form"),
    ],
)
def test_predictions_that_carry_nothing_stop_the_run_until_the_model_is_replaced(
    returns: str, reason: str, site: Path, good: Victim, tmp_path: Path
) -> None:
    victim = victim_of(site, tmp_path, returns=returns)
    done = victim.ptyrun(*victim.words())
    assert done.returncode == BLOCKED
    assert reason in done.stderr
    (blocker,) = (victim.run / "blocked").glob(f"*-{reason}.md")
    text = blocker.read_text()
    for part in ("## Command", "## Reason", "DIAGNOSTIC", "## What to do", "--invalidate pinn"):
        assert part in text
    assert f"ptyrun run {victim.run}" in text.partition("## Resume")[2]
    assert (victim.status["state"], victim.status["chunks_committed"]) == ("blocked", 0)
    assert np.isnan(victim.patches).all()

    victim.does()
    refused = victim.ptyrun(*victim.words())
    assert refused.returncode == 2, refused.stderr
    assert "weights_sha256" in refused.stderr
    healed = victim.ptyrun(*victim.words("compare", "--invalidate=pinn"))
    assert healed.returncode == COMPLETE, healed.stderr
    assert victim.status["state"] == "complete"
    assert np.array_equal(victim.patches, good.patches)


@pytest.mark.parametrize("code", [0, 7])
@pytest.mark.parametrize("place", ["open", "predict", "close"])
def test_a_predictor_that_asks_python_to_exit_has_failed_whatever_its_code(
    place: str, code: int, site: Path, tmp_path: Path
) -> None:
    victim = walled(site, tmp_path, exits_at=place, exit_code=code)
    done = victim.ptyrun(*victim.words())
    assert done.returncode == FAILED, done.stderr
    assert f"the predictor asked Python to exit (code {code})" in done.stderr
    assert ("the model is that of arm 'pinn'" in done.stderr) == (place == "open")
    assert victim.status["chunks_committed"] == (N_CHUNKS if place == "close" else 0)


def test_an_object_with_holes_where_positions_promise_patches_is_no_result(
    site: Path, good: Victim, tmp_path: Path
) -> None:
    victim = victim_of(site, tmp_path, returns="every other")
    done = victim.ptyrun(*victim.words())
    assert done.returncode == BLOCKED
    (blocker,) = (victim.run / "blocked").glob("*-coverage-hole.md")
    text = blocker.read_text()
    assert "DIAGNOSTIC 20 of 40 patches are all zero" in text
    assert f"ptyrun finalize {victim.run}" in text.partition("## Resume")[2]
    assert not (victim.run / "results.json").exists()
    assert victim.status["chunks_committed"] == N_CHUNKS
    victim.does()
    assert victim.ptyrun(*victim.words("compare", "--invalidate=pinn")).returncode == COMPLETE
    assert np.array_equal(victim.patches, good.patches)


def test_gaps_between_sparse_positions_are_no_holes(site: Path, tmp_path: Path) -> None:
    victim = victim_of(site, tmp_path)
    words = [word for word in victim.words() if "n-test-groups" not in word]
    done = victim.ptyrun(*words, "--n-test-groups=3")
    assert done.returncode == COMPLETE, done.stderr
    coverage = zarr.open_array(victim.run / "objects.zarr/pinn/coverage", mode="r")
    assert (np.asarray(coverage[...]) == 0).mean() > 0.5


def test_a_blocker_names_the_command_and_the_figures(site: Path, tmp_path: Path) -> None:
    victim = victim_of(site, tmp_path, returns="0")
    done = victim.process(*victim.words())
    assert done.returncode == BLOCKED, done.stderr
    (blocker,) = (victim.run / "blocked").glob("*.md")
    text = blocker.read_text()
    assert f"--output_dir={victim.run}" in text.partition("## Command")[2].partition("##")[0]
    assert "DIAGNOSTIC" in text and "nonzero_count=0/" in text


@pytest.mark.parametrize("chunk", [1, 3, 7, 25, 40])
def test_where_a_group_lies_in_its_batch_depends_on_neither_chunks_nor_windows(
    chunk: int, site: Path, tmp_path: Path
) -> None:
    found = []
    for folder, words in (("one", []), ("many", [f"--pinn-chunk-size={chunk}", "--max-chunks=3"])):
        victim = victim_of(site, tmp_path / folder, rows_differ=True)
        words = victim.words("compare", *words, batch=8)
        while (done := victim.ptyrun(*words)).returncode == INCOMPLETE:
            pass
        assert done.returncode == COMPLETE, done.stderr
        found.append(victim.patches)
    one, many = found
    assert np.array_equal(one, many)


@pytest.mark.parametrize("when", ["opens_out_of_memory_above", "out_of_memory_above"])
def test_a_batch_that_does_not_fit_is_halved_and_later_sessions_begin_with_the_one_that_did(
    when: str, site: Path, good: Victim, tmp_path: Path
) -> None:
    victim = walled(site, tmp_path, **{when: 1})
    words = victim.words(batch=4)
    first = victim.ptyrun(*words, "--max-chunks=4")
    assert first.returncode == INCOMPLETE, first.stderr
    assert "out of memory at 4 groups, going on with 2" in first.stderr
    assert victim.diary == ["opened at 4", "opened at 2", "opened at 1"]
    (note,) = victim.status["arms"]["pinn"]["notes"]
    assert "4 groups at once did not work (no room for" in note and "since then 1 at once" in note
    assert note in victim.ptyrun("status", str(victim.run)).stdout

    second = victim.ptyrun(*words)
    assert second.returncode == COMPLETE, second.stderr
    assert victim.diary[3:] == ["opened at 1"]
    assert note in victim.results["notes"]
    assert not any("memory" in each for each in good.results["notes"])
    largest = np.abs(good.patches).max()
    assert np.abs(victim.patches - good.patches).max() <= TOLERANCE * largest


def test_a_model_that_fits_not_even_once_is_an_error_that_says_so(
    site: Path, tmp_path: Path
) -> None:
    victim = walled(site, tmp_path, out_of_memory_above=0)
    done = victim.ptyrun(*victim.words())
    assert done.returncode == FAILED
    assert "not even one group fits into memory" in done.stdout + done.stderr
    assert victim.status["chunks_committed"] == 0


def test_a_chunk_that_fails_once_is_tried_again(site: Path, good: Victim, tmp_path: Path) -> None:
    victim = walled(site, tmp_path, fails_once=str(tmp_path / "failed"))
    victim.does_it_at(KILLER)
    done = victim.ptyrun(*victim.words())
    assert done.returncode == COMPLETE, done.stderr
    assert (tmp_path / "failed").exists()
    assert victim.status["troubles"] == []
    assert np.array_equal(victim.patches, good.patches)


def test_a_chunk_that_always_fails_is_set_aside_and_the_others_are_there(
    site: Path, good: Victim, tmp_path: Path
) -> None:
    victim = walled(site, tmp_path, fails=True)
    victim.does_it_at(KILLER)
    done = victim.ptyrun(*victim.words())
    assert done.returncode == FAILED
    assert f"chunk {KILLER} of arm pinn was quarantined" in done.stdout
    expect_all_but_the_killer(victim, good)
    (trouble,) = victim.status["troubles"]
    assert (trouble["chunk"], trouble["set_aside"]) == (KILLER, True)
    shown = victim.ptyrun("status", str(victim.run)).stdout
    assert "RuntimeError: this group is too much" in shown
    assert "Traceback (most recent call last)" in shown
    assert f"ptyrun verify {victim.run} --repair" in shown
    again = victim.ptyrun(*victim.words())
    assert again.returncode == FAILED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dies", "said"),
    [("SIGKILL", "SIGKILL ended it"), ("SIGSEGV", "SIGSEGV ended it"), ("leaves", "exit code 0")],
)
def test_a_chunk_that_ends_its_process_is_set_aside_until_it_is_given_new_attempts(
    dies: str, said: str, site: Path, good: Victim, tmp_path: Path
) -> None:
    victim = walled(site, tmp_path, dies=dies)
    victim.does_it_at(KILLER)
    done = victim.process(*victim.words())
    assert done.returncode == FAILED, done.stderr
    assert f"chunk {KILLER} of arm pinn was quarantined" in done.stdout
    expect_all_but_the_killer(victim, good)
    (trouble,) = victim.status["troubles"]
    assert (trouble["chunk"], trouble["set_aside"]) == (KILLER, True)
    # Who kills itself may have been killed: chance is ruled out first.
    assert trouble["attempts"] > 3 if dies == "SIGKILL" else trouble["attempts"] == 3
    shown = victim.ptyrun("status", str(victim.run)).stdout
    assert "the process of the predictor gave no answer" in shown
    assert said in shown

    (victim.folder / "group.npy").unlink()  # the cause is gone, the model the same
    assert victim.ptyrun(*victim.words()).returncode == FAILED
    assert victim.ptyrun("verify", str(victim.run), "--repair").returncode == COMPLETE
    assert victim.status["state"] == "incomplete"
    assert victim.ptyrun(*victim.words()).returncode == COMPLETE
    assert np.array_equal(victim.patches, good.patches)


def expect_all_but_the_killer(victim: Victim, good: Victim) -> None:
    assert victim.status["chunks_committed"] == N_CHUNKS - 1
    assert victim.status["state"] == "failed"
    missing = np.isnan(victim.patches).any(axis=(1, 2)).reshape(N_CHUNKS, -1)
    assert missing.all(axis=1).nonzero()[0].tolist() == [KILLER]
    there = ~missing.ravel()
    assert np.array_equal(victim.patches[there], good.patches[there])
