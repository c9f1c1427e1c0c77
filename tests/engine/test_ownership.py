"""Is a run believed only by the user who planned or adopted it?"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ptyrun.engine import ownership
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import IdentityError, NewerError
from ptyrun.host.documents import sealed
from ptyrun.paths import RunPaths
from tests.stages import finished_run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's configuration, with nothing in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def sent(tmp_path: Path) -> RunPaths:
    paths = finished_run.write(tmp_path / "run")
    paths.steps.mkdir(parents=True)
    (paths.steps / "sums.npz").write_bytes(b"those of the sender")
    return paths


def asking(paths: RunPaths, *, factory: bool = True, debug_dir: bool = False) -> Manifest:
    """Let the run ask for a factory, or a folder to write to."""
    manifest = Manifest.load(paths.manifest)
    facts = {"option.factory": "this:zen"} if factory else {}
    pinn, *others = manifest.arms
    sources = {**manifest.sources, **({"baseline_debug_dir": "/tmp/x"} if debug_dir else {})}
    pinn = replace(pinn, facts={**pinn.facts, **facts})
    changed = Manifest(manifest.shared, (pinn, *others), sources)
    changed.save(paths.manifest)
    return changed


def test_a_run_is_its_planners_until_its_manifest_changes(sent: RunPaths) -> None:
    assert not ownership.is_own(sent)
    assert ownership.mark(sent)
    assert ownership.is_own(sent)
    asking(sent, factory=False, debug_dir=True)  # no part of its digest, and yet another manifest
    assert not ownership.is_own(sent)


def test_the_mark_moves_with_the_run(sent: RunPaths, tmp_path: Path) -> None:
    ownership.mark(sent)
    shutil.copytree(sent.root, tmp_path / "copy")
    assert ownership.is_own(RunPaths(tmp_path / "copy"))


def test_another_users_mark_is_none(
    sent: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ownership.mark(sent)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    assert not ownership.is_own(sent)
    ownership.mark(sent)
    assert ownership.is_own(sent)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert ownership.is_own(sent), "two users may share a run"


@pytest.mark.parametrize("asks", ["factory", "debug_dir"])
def test_what_somebody_elses_run_asks_for_is_done_after_one_word(sent: RunPaths, asks: str) -> None:
    manifest = asking(sent, factory=asks == "factory", debug_dir=asks == "debug_dir")
    for _ in range(2):
        with pytest.raises(IdentityError, match="was not planned by this user"):
            ownership.require_own(manifest, sent, adopt=False)
    ownership.require_own(manifest, sent, adopt=True)
    ownership.require_own(manifest, sent, adopt=False)


def test_a_package_that_is_not_ptyruns_is_somebody_elses_word(sent: RunPaths) -> None:
    manifest = Manifest.load(sent.manifest)
    pinn, *others = manifest.arms
    pinn = replace(pinn, facts={**pinn.facts, "backend": "hostile"})
    manifest = Manifest(manifest.shared, (pinn, *others), manifest.sources)
    manifest.save(sent.manifest)
    with pytest.raises(IdentityError, match="another package's code"):
        ownership.require_own(manifest, sent, adopt=False)


def test_a_plain_run_needs_no_word(sent: RunPaths) -> None:
    ownership.require_own(Manifest.load(sent.manifest), sent, adopt=False)


def test_steps_that_somebody_else_left_are_not_believed(sent: RunPaths) -> None:
    ownership.forget_foreign_steps(sent)
    assert not sent.steps.exists()
    sent.steps.mkdir()
    ownership.forget_foreign_steps(sent)
    assert sent.steps.exists(), "these are this user's"


def test_an_adopted_run_has_lost_the_senders_steps(sent: RunPaths) -> None:
    ownership.require_own(Manifest.load(sent.manifest), sent, adopt=True)
    assert not sent.steps.exists()


def test_own_steps_stay(sent: RunPaths) -> None:
    ownership.mark(sent)
    sent.steps.mkdir()
    (sent.steps / "sums.npz").write_bytes(b"those of the planner")
    ownership.forget_foreign_steps(sent)
    assert (sent.steps / "sums.npz").exists()


def test_the_key_is_the_users_alone(sent: RunPaths, home: Path) -> None:
    ownership.mark(sent)
    key = home / "ptyrun" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    assert [path.name for path in key.parent.iterdir()] == ["key"]
    key.chmod(0o644)
    assert not ownership.is_own(sent), "others could have read it"
    assert not ownership.mark(sent)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_none(sent: RunPaths, home: Path, length: int) -> None:
    ownership.mark(sent)
    (home / "ptyrun" / "key").write_bytes(b"x" * length)
    assert not ownership.is_own(sent)
    assert not ownership.mark(sent)


def test_where_no_key_can_be_kept_nothing_is_own_and_the_word_is_enough(
    sent: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    manifest = asking(sent)
    assert not ownership.mark(sent)
    ownership.forget_foreign_steps(sent)
    assert sent.steps.exists()
    ownership.require_own(manifest, sent, adopt=True)
    with pytest.raises(IdentityError):
        ownership.require_own(manifest, sent, adopt=False)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '{"schema": 9}', "\x00"])
def test_marks_that_cannot_be_read_mark_nothing(sent: RunPaths, text: str) -> None:
    ownership.mark(sent)
    sent.owner.write_text(text)
    assert not ownership.is_own(sent)
    assert ownership.mark(sent)
    assert ownership.is_own(sent)


def test_steps_of_somebody_else_are_gone_before_a_run_is_marked(sent: RunPaths) -> None:
    assert ownership.mark(sent)
    assert not sent.steps.exists()
    sent.steps.mkdir()
    asking(sent)  # another plan in a folder that is this user's
    assert ownership.mark(sent) and sent.steps.exists()


def test_marks_of_a_newer_ptyrun_are_left_as_they_are(sent: RunPaths) -> None:
    manifest = asking(sent)
    newer = sealed({"schema": 2, "manifests": {}, "folders": {}, "signers": []})
    sent.owner.write_text(newer)
    assert not ownership.mark(sent) and not ownership.is_own(sent)
    ownership.forget_foreign_steps(sent)
    ownership.require_own(manifest, sent, adopt=True)
    assert sent.owner.read_text() == newer
    with pytest.raises(NewerError, match=r"owner\.json has schema 2: it was written by a newer"):
        ownership.require_own(manifest, sent, adopt=False)
