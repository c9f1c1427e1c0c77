"""Is what a study computes with asked for before its first stage?"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ptyrun.config.study import Phase, StudySession
from ptyrun.errors import PtyrunError
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
