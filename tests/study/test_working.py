"""Is what a study computes with asked for before its first stage?"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ptyrun.config.study import Phase, StudySession
from ptyrun.errors import PtyrunError, UsageError
from ptyrun.host import packages
from ptyrun.progress import SILENT
from ptyrun.study import working
from ptyrun.study.plan import Study
from tests.study.hubs import small_study

# Which module is lacking, what is asked for then, and what to do.
LACKING: dict[str, tuple[str, dict[str, Any], str]] = {
    "PyTorch": ("torch", {}, "pip install 'ptyrun[pytorch]'"),
    "TensorFlow": ("tensorflow", {}, "pip install 'ptyrun[tf]'"),
    "pty-chi": (
        "ptychi",
        {"reconstruction_algorithm": "ptychi"},
        "install what is missing, or choose another algorithm",
    ),
    "upstream's package": ("ptycho", {"training_pinn": "wts.h5.zip"}, "install PtychoPINN"),
}


@pytest.fixture
def lack(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let there be no module of a name."""

    def lack(module: str) -> None:
        monkeypatch.setattr(
            packages, "find_spec", lambda name: None if name == module else find_spec(name)
        )

    return lack


def whole_study(folder: Path, **options: Any) -> Study:
    return small_study(folder, upto=Phase.COMPARISONS, **options)


@pytest.mark.parametrize("clobber", [False, True])
@pytest.mark.parametrize("what", LACKING)
def test_what_is_lacking_is_told_before_anything_is_made(
    tmp_path: Path, lack: Any, what: str, clobber: bool
) -> None:
    module, options, do = LACKING[what]
    study = whole_study(tmp_path, **options)
    lack(module)
    with pytest.raises(PtyrunError) as caught:
        working.run(study, None, StudySession(clobber=clobber), SILENT)
    assert f"there is no module {module}" in caught.value.why
    assert do in caught.value.do
    assert not [*study.hub.root.glob("data/*")]


@pytest.mark.parametrize("dask", [None, "local:2"])
@pytest.mark.parametrize(
    ("options", "what", "why"),
    [
        ({"training_pinn_set": ("foo=1",)}, "no setting 'foo'", "it has stages, width"),
        ({"training_baseline_set": ("fine_width=a",)}, "fine_width=a", "must be a whole number"),
        ({"training_pinn_set": ("learning_rate=0",)}, "learning_rate=0", "greater than zero"),
    ],
)
def test_settings_that_no_trainer_has_are_told_before_anything_is_made(
    tmp_path: Path, options: dict[str, Any], what: str, why: str, dask: str | None
) -> None:
    study = whole_study(tmp_path, **options)
    with pytest.raises(UsageError, match=what) as caught:
        working.run(study, None, StudySession(dask=dask), SILENT)
    assert why in caught.value.why
    assert not [*study.hub.root.glob("data/*")]


def test_workers_elsewhere_have_their_own(
    tmp_path: Path, lack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack("tensorflow")

    class ReachedError(Exception):
        pass

    def reached(*_: Any) -> None:
        raise ReachedError

    monkeypatch.setattr(working, "joined", lambda *_, **__: reached())
    with pytest.raises(ReachedError):
        working.run(whole_study(tmp_path), None, StudySession(dask="local:2"), SILENT)


def test_stages_that_need_none_of_it_are_made_without(tmp_path: Path, lack: Any) -> None:
    lack("tensorflow")
    study = whole_study(tmp_path)
    only = ("simulate-dose_1000",)
    working.run(study, None, StudySession(only=only), SILENT)
    assert study.hub.path("data/phase_c/dose_1000/simulated_raw.npz").exists()
