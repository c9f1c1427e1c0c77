"""Is each file given for what it is? Models, scans and reconstructions are easily exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ptyrun.comparison.ground_truth import as_said
from ptyrun.comparison.scans import opened
from ptyrun.comparison.surveys import ArmSurvey
from ptyrun.config import ArmConfig, ArmKind, CompareConfig
from ptyrun.errors import InputError, ModelError, PtyrunError
from ptyrun.ptycho.readers.opening import Scan, open_scan
from ptyrun.ptycho.readers.reconstruction import Reconstruction, open_reconstruction

# By which name upstream saves the model that belongs to the other option.
_FILES = {"pinn": "baseline_model.h5", "baseline": "wts.h5.zip"}


def open_given_scan(config: CompareConfig, cache_dir: Path | None = None) -> Scan:
    """Open the scan of a comparison.

    Raises
    ------
    InputError
        If it is none; one that is a finished reconstruction is named as that.
    """
    kind = config.selection.diffraction_kind
    try:
        found = opened(config.scan, kind, cache_dir, config.follow_links)
    except InputError as error:
        # What lacks its frames may be given for a scan; what is wrong with them is said as it is.
        if "holds no" not in error.what or not _is_reconstruction(config.scan):
            raise
        others = [arm.path for arm in config.arms if arm.kind is ArmKind.RECONSTRUCTION]
        exchanged = next((path for path in others if _is_scan(path, kind)), None)
        raise InputError(
            f"--test-data is a finished reconstruction: {config.scan}",
            why=f"{exchanged} is a scan: they are swapped"
            if exchanged is not None
            else f"a scan has frames and positions; {error.what}",
            do="give the scan with --test-data, the reconstruction with --tike-recon-path",
        ) from error
    return as_said(found, config.ground_truth, config.selection.position_origin)


def open_given_reconstruction(arm: ArmConfig, diffraction_kind: str | None) -> Reconstruction:
    """Open an arm's finished reconstruction.

    Raises
    ------
    InputError
        If it is none; a scan is named as that.
    """
    try:
        return open_reconstruction(arm.path)
    except InputError as error:
        if not _is_scan(arm.path, diffraction_kind):
            raise
        raise InputError(
            f"the reconstruction of arm {arm.name!r} is a scan: {arm.path}",
            why=f"it holds frames and positions; {error.what}",
            do="give the scan with --test-data, the reconstruction with --tike-recon-path",
        ) from error


def _is_reconstruction(path: Path) -> bool:
    try:
        open_reconstruction(path)
    except PtyrunError:
        return False
    return True


def _is_scan(path: Path, diffraction_kind: str | None) -> bool:
    try:
        open_scan(path, diffraction_kind or "amplitude")
    except PtyrunError:
        return False
    return True


def require_own_roles(arms: Sequence[ArmSurvey]) -> None:
    """See that --pinn_dir and --baseline_dir name what they say.

    Raises
    ------
    ModelError
        If a model is that of the other role, or they are swapped.
    """
    roles = {arm.config.name: arm for arm in arms if arm.config.name in _FILES}
    wrong = {name: arm for name, arm in roles.items() if arm.path.name == _FILES[name]}
    smaller = len(roles) == 2 and roles["pinn"].gridsize < roles["baseline"].gridsize
    if not wrong and not smaller:
        return
    if len(wrong) == 1 and len(roles) == 1:
        ((name, arm),) = wrong.items()
        what = f"--{name}-dir names the model of the other option: {arm.path}"
    else:
        what = "--pinn-dir and --baseline-dir are swapped, or name the same sort of model"
    said = [f"{arm.path} is what the other one's training writes" for arm in wrong.values()]
    if smaller:
        pinn, baseline = (roles[name].gridsize for name in _FILES)
        said.append(f"the PINN's model takes groups of gridsize {pinn}, the Baseline's {baseline}")
    raise ModelError(
        what,
        why="; ".join(said),
        do="give each model with its own option; if this is intended, with --arm name=...,path=...",
    )
