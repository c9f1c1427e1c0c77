"""Does a full run begin only after its debug run, and only after that one?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hostile import Victim, install
from tests.studies import Finished

COMPLETE, FAILED, USAGE, BLOCKED, INCOMPLETE = 0, 1, 2, 3, 75


class Pair:
    """A full comparison and its debug run of a fifth of the groups."""

    def __init__(self, victim: Victim) -> None:
        self.victim = victim
        self.debug = victim.folder / "debug"

    @property
    def smaller(self) -> list[str]:
        """What is added to the words of the full comparison, or comes after them and wins."""
        return [f"--output_dir={self.debug}", "--n-test-groups=8"]

    def do_debug(self, *more: str) -> Finished:
        return self.victim.ptyrun(*self.victim.words("compare", *self.smaller, *more))

    def do_full(self, *more: str) -> Finished:
        return self.victim.ptyrun(
            *self.victim.words("compare", f"--require-debug={self.debug}", *more)
        )

    def refused(self, *more: str) -> str:
        """What is said by a full run that may not begin; nothing of it is there."""
        done = self.do_full(*more)
        assert done.returncode == USAGE, done.stderr
        assert not any((self.victim.run / name).exists() for name in ("manifest.json", "ledger"))
        return done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("site"))


@pytest.fixture
def pair(site: Path, tmp_path: Path) -> Pair:
    return Pair(Victim.in_folder(site, tmp_path))


def test_a_full_run_begins_after_its_debug_run_and_names_it(pair: Pair) -> None:
    assert pair.do_debug().returncode == COMPLETE
    done = pair.do_full()
    assert done.returncode == COMPLETE, done.stderr
    assert f"debug run {pair.debug}: complete, every byte checked" in done.stderr
    assert "8 of PtychoPINN" in done.stderr


def test_a_debug_run_that_is_not_there_is_named(pair: Pair) -> None:
    said = pair.refused()
    assert f"the debug run {pair.debug} is not there" in said
    assert "manifest.json" in said


def test_a_run_of_the_full_size_is_no_debug_run(pair: Pair) -> None:
    assert pair.do_debug("--n-test-groups=40", "--max-chunks=1").returncode == INCOMPLETE
    said = pair.refused("--n-test-groups=40")
    assert f"{pair.debug} is not a debug run: it compares as many groups as the full run" in said
    assert "--n-test-groups" in said


def test_a_debug_run_that_is_not_complete_is_named_with_what_is_missing(pair: Pair) -> None:
    assert pair.do_debug("--max-chunks=1").returncode == INCOMPLETE
    said = pair.refused()  # not with 75: a loop would repeat what never completes the debug run
    assert "1 of 2 chunks of pinn missing" in said
    assert f"ptyrun start {pair.debug}" in said
    assert pair.victim.ptyrun("run", str(pair.debug), "--unconfined=pinn").returncode == COMPLETE
    assert "no results.json was made from them" in pair.refused()
    assert pair.victim.ptyrun("finalize", str(pair.debug)).returncode == COMPLETE
    assert pair.do_full("--max-chunks=1").returncode == INCOMPLETE


def test_a_debug_run_whose_chunk_failed_says_of_what(pair: Pair) -> None:
    pair.victim.does(fails=True)
    pair.victim.does_it_at(0, *pair.smaller, run=pair.debug)
    assert pair.do_debug().returncode == FAILED
    assert "chunk 0: RuntimeError: this group is too much" in pair.refused()


@pytest.mark.parametrize("returns", ["0", "every other"])
def test_a_debug_run_that_a_content_check_stopped_blocks_the_full_run(
    returns: str, pair: Pair
) -> None:
    pair.victim.does(returns=returns)
    assert pair.do_debug().returncode == BLOCKED
    done = pair.do_full()
    assert done.returncode == BLOCKED
    (theirs,) = (pair.debug / "blocked").glob("*.md")
    (ours,) = (pair.victim.run / "blocked").glob("*-debug-blocked.md")
    text = ours.read_text()
    assert str(theirs) in text.partition("## Evidence")[2]
    assert "all zero" in text or "nonzero_count=0/" in text
    assert not (pair.victim.run / "manifest.json").exists()
    said = json.loads(pair.victim.ptyrun("status", str(pair.debug), "--json").stdout)
    assert said["state"] == "blocked"

    pair.victim.does()
    assert pair.do_debug("--invalidate=pinn").returncode == COMPLETE
    assert pair.do_full("--max-chunks=1").returncode == INCOMPLETE


def test_a_debug_run_of_another_model_is_none(pair: Pair) -> None:
    assert pair.do_debug().returncode == COMPLETE
    pair.victim.does(another="model")
    assert "pinn: weights_sha256 was" in pair.refused()


def test_a_debug_run_without_an_arm_of_the_full_one_is_none(pair: Pair) -> None:
    assert pair.do_debug().returncode == COMPLETE
    second = f"--arm=name=unet,path={pair.victim.model}"
    assert "unet: arm was absent, is present" in pair.refused(second)


def test_a_debug_run_may_show_more_arms_and_be_cut_otherwise(pair: Pair) -> None:
    second = f"--arm=name=unet,path={pair.victim.model}"
    words = [second, "--pinn-chunk-size=3", "--pinn-predict-batch-size=2", "--frc-sigma=0.5"]
    assert pair.do_debug(*words).returncode == COMPLETE
    assert pair.do_full("--max-chunks=1").returncode == INCOMPLETE


def test_a_run_is_not_its_own_debug_run(pair: Pair) -> None:
    pair.debug = pair.victim.run
    assert "cannot be its own debug run" in pair.refused()


def test_a_debug_run_that_was_damaged_since_is_refused_until_it_is_repaired(pair: Pair) -> None:
    assert pair.do_debug().returncode == COMPLETE
    chunk = pair.debug / "arrays.zarr/pinn/patches/c.1.0.0"
    data = bytearray(chunk.read_bytes())
    data[100] ^= 1
    chunk.write_bytes(data)
    done = pair.do_full()
    assert done.returncode == FAILED
    assert "pinn/patches/c.1.0.0" in done.stderr
    assert not (pair.victim.run / "manifest.json").exists()
    assert pair.victim.ptyrun("verify", "--repair", str(pair.debug)).returncode == COMPLETE
    assert "1 of 2 chunks of pinn missing" in pair.refused()


@pytest.mark.parametrize("command", ["run", "start"])
def test_a_planned_run_waits_for_its_debug_run_too(command: str, pair: Pair) -> None:
    victim = pair.victim
    assert victim.ptyrun(*victim.words("plan")).returncode == COMPLETE
    words = [command, str(victim.run), f"--require-debug={pair.debug}"]
    refused = victim.ptyrun(*words)
    assert refused.returncode == USAGE
    assert f"the debug run {pair.debug} is not there" in refused.stderr
    assert not (victim.run / "process.json").exists()
    assert not (victim.run / "ledger").exists()
    assert pair.do_debug().returncode == COMPLETE
    if command == "run":
        assert victim.ptyrun(*words).returncode == COMPLETE
    else:
        begun = victim.process(*words)
        assert begun.returncode == COMPLETE, begun.stderr
        assert victim.process("wait", str(victim.run)).returncode == COMPLETE
        assert f"debug run {pair.debug}: complete" in victim.ptyrun("logs", str(victim.run)).stdout
    assert victim.status["state"] == "complete"
