"""By which files is a model known that was given with the other option?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ptyrun.comparison.roles import require_own_roles
from ptyrun.comparison.surveys import ArmSurvey
from ptyrun.config import ArmConfig
from ptyrun.errors import ModelError

PINN, BASELINE = Path("gs2/wts.h5.zip"), Path("gs1/baseline_model.h5")


def given(**arms: tuple[Path, int]) -> list[ArmSurvey]:
    return [
        ArmSurvey(ArmConfig(name, path, name), name, path, gridsize, {}, ())
        for name, (path, gridsize) in arms.items()
    ]


def test_models_given_for_what_they_are_pass() -> None:
    require_own_roles(given(pinn=(PINN, 2), baseline=(BASELINE, 1)))
    require_own_roles(given(pinn=(PINN, 1), baseline=(BASELINE, 1)))
    require_own_roles(given(pinn=(PINN, 2)))
    require_own_roles(given(baseline=(BASELINE, 1)))
    require_own_roles(given(small=(BASELINE, 1), large=(PINN, 2)))


@pytest.mark.parametrize("sizes", [(1, 2), (1, 1), (2, 1)])
def test_exchanged_models_are_named_by_their_files_and_sizes(sizes: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match="--pinn-dir and --baseline-dir are swapped"):
        require_own_roles(given(pinn=(BASELINE, sizes[0]), baseline=(PINN, sizes[1])))


def test_one_model_of_the_other_role_is_named() -> None:
    with pytest.raises(ModelError, match="--pinn-dir names the model of the other option"):
        require_own_roles(given(pinn=(BASELINE, 1)))
    with pytest.raises(ModelError, match="--baseline-dir names the model of the other option"):
        require_own_roles(given(baseline=(PINN, 2)))


def test_networks_of_any_name_are_told_by_how_many_frames_they_take() -> None:
    with pytest.raises(
        ModelError, match=r"groups of gridsize 1, the Baseline's 2(.|\n)*--arm name"
    ):
        require_own_roles(given(pinn=(Path("a.keras"), 1), baseline=(Path("b.keras"), 2)))
