"""What can be chosen, and what is chosen when nobody says? Every default lives here, once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from ptyrun.errors import UsageError

Fact = str | int | float | bool | None


class ArmKind(StrEnum):
    """What an arm is."""

    PREDICTOR = "predictor"
    RECONSTRUCTION = "reconstruction"


class Registration(StrEnum):
    """Which arms are shifted onto the ground truth before they are measured."""

    ALL = "all"
    RECONSTRUCTION_ONLY = "reconstruction-only"
    NONE = "none"

    def reaches(self, kind: str) -> bool:
        """Whether arms of this :class:`ArmKind` are shifted."""
        finished_only = self is Registration.RECONSTRUCTION_ONLY
        return self is Registration.ALL or (finished_only and kind == ArmKind.RECONSTRUCTION)


class Alignment(StrEnum):
    """On which canvas patches are laid."""

    EXACT = "exact"
    UPSTREAM = "upstream"


class PhaseAlign(StrEnum):
    """What is removed from phases before they are compared."""

    PLANE = "plane"
    MEAN = "mean"


CHUNK_GROUPS = 256
BATCH_GROUPS = 32

# The keys of ``--arm``; a predictor of another package may take more.
ARM_WORDS = (
    *("name", "path", "reconstruction", "label", "backend", "gridsize", "batch", "chunk", "limit"),
    "factory",
)

# What an arm is taken for when neither its model nor its user says.
_ROLE_GRIDSIZE = {"pinn": 2}


def role_gridsize(arm: str) -> int:
    """Gridsize of an arm whose model does not tell."""
    return _ROLE_GRIDSIZE.get(arm, 1)


def _require(holds: bool, setting: str, value: object, must_be: str) -> None:
    """Refuse a value that nothing could be computed with."""
    if not holds:
        raise UsageError(
            f"{setting} {value} makes no sense",
            why=f"it must be {must_be}",
            do=f"correct {setting}, or leave it out",
        )


def _at_least(least: int, **settings: int | None) -> None:
    for name, value in settings.items():
        holds = value is None or value >= least
        _require(holds, name.replace("_", " "), value, f"at least {least}")


@dataclass(frozen=True)
class ArmConfig:
    """One thing to compare.

    ``chunk_groups`` of 0 means one chunk for all groups; None means as the run on disk was planned,
    and so for ``batch_groups``; a new run takes the defaults. ``gridsize`` None means as the model
    says, else as its role says. ``limit_groups`` restricts the arm to the first groups of the
    selection. ``options`` go to the backend (``factory``). ``trusted`` lets the model run its own
    code, where it holds any; it changes no result and is written down nowhere.
    """

    name: str
    path: Path
    label: str
    kind: ArmKind = ArmKind.PREDICTOR
    backend: str | None = None
    gridsize: int | None = None
    chunk_groups: int | None = None
    batch_groups: int | None = None
    limit_groups: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that cut nothing."""
        _at_least(0, chunk=self.chunk_groups)
        _at_least(1, gridsize=self.gridsize, batch=self.batch_groups, limit=self.limit_groups)


@dataclass(frozen=True)
class _Facts:
    """Settings that are written into a manifest and read back from it."""

    def facts(self) -> dict[str, Fact]:
        """As plain JSON values, by field name."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Read back what :meth:`facts` wrote; facts of other settings are passed over."""
        given = {entry.name: facts[entry.name] for entry in fields(cls) if entry.name in facts}
        return cls(**cls._typed(given))

    @classmethod
    def _typed(cls, given: dict[str, Any]) -> dict[str, Any]:
        return given


def _plain(value: Any) -> Fact:
    if isinstance(value, StrEnum):
        return value.value
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True)
class Selection(_Facts):
    """Which groups of the scan are compared."""

    n_groups: int | None = None
    n_subsample: int | None = None
    subsample_seed: int = 456
    grouping_seed: int = 123
    neighbor_count: int = 7
    diffraction_kind: str | None = None

    def __post_init__(self) -> None:
        """Refuse seeds that no generator takes, and selections of nothing."""
        _at_least(0, test_subsample_seed=self.subsample_seed, grouping_seed=self.grouping_seed)
        _at_least(1, n_test_groups=self.n_groups, n_test_subsample=self.n_subsample)


class Compression(StrEnum):
    """How chunks are stored: lz4 saves about a fifth of the space and costs time."""

    NONE = "none"
    LZ4 = "lz4"


@dataclass(frozen=True)
class EvaluationOptions(_Facts):
    """How objects are assembled, brought together and measured."""

    stitch_crop_px: int = 20
    alignment: Alignment = Alignment.EXACT
    registration: Registration = Registration.ALL
    phase_align: PhaseAlign = PhaseAlign.PLANE
    frc_sigma: float = 0.0
    ms_ssim_sigma: float = 1.0

    def __post_init__(self) -> None:
        """Refuse widths that are no widths."""
        for name, width in (("frc sigma", self.frc_sigma), ("ms-ssim sigma", self.ms_ssim_sigma)):
            _require(0 <= width < math.inf, name, width, "finite and not negative")

    @classmethod
    def _typed(cls, given: dict[str, Any]) -> dict[str, Any]:
        kinds = {"alignment": Alignment, "registration": Registration, "phase_align": PhaseAlign}
        return {name: kinds.get(name, lambda v: v)(value) for name, value in given.items()}


@dataclass(frozen=True)
class Presentation(_Facts):
    """What is written beside the numbers; changes no number."""

    save_npz: bool = True
    save_npz_aligned: bool = True
    save_debug_images: bool = False
    percentile_min: float = 10.0
    percentile_max: float = 90.0
    pinn_phase_vmin: float | None = None
    pinn_phase_vmax: float | None = None
    baseline_phase_vmin: float | None = None
    baseline_phase_vmax: float | None = None
    baseline_debug_dir: str | None = None
    pixel_size_m: float | None = None

    def __post_init__(self) -> None:
        """Refuse ranges of colours without extent, and pixels without size."""
        low, high = self.percentile_min, self.percentile_max
        within = "0 <= p_min < p_max <= 100"
        _require(0 <= low < high <= 100, "p_min, p_max", f"{low:g}, {high:g}", within)
        for arm in ("pinn", "baseline"):
            self._check_phases(arm)
        size_m = self.pixel_size_m
        holds = size_m is None or 0 < size_m < math.inf
        _require(holds, "pixel size", size_m, "finite and greater than zero, in metres")

    def _check_phases(self, arm: str) -> None:
        low, high = self.phase_limits(arm)
        for end, phase in (("vmin", low), ("vmax", high)):
            finite = phase is None or math.isfinite(phase)
            _require(finite, f"{arm} phase {end}", phase, "finite, in radians")
        if low is not None and high is not None:
            _require(low < high, f"{arm} phase vmin, vmax", f"{low:g}, {high:g}", "in this order")

    def phase_limits(self, arm: str) -> tuple[float | None, float | None]:
        """Fixed ends of an arm's phase colours in radians, where they were chosen."""
        return (
            getattr(self, f"{arm}_phase_vmin", None),
            getattr(self, f"{arm}_phase_vmax", None),
        )


@dataclass(frozen=True)
class CompareConfig:
    """One comparison, as asked for."""

    scan: Path
    output_dir: Path
    arms: tuple[ArmConfig, ...]
    selection: Selection = field(default_factory=Selection)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    presentation: Presentation = field(default_factory=Presentation)
    groups_from: Path | None = None
    compression: Compression = Compression.NONE


# Options whose word names one of several.
_SPELT = {"arms": "arm", "trusted_arms": "trust_model"}


@dataclass(frozen=True)
class SessionOptions:
    """How long and with what help one session works; changes no result.

    ``workers`` processes work side by side, or all those of the cluster whose scheduler listens
    at ``dask``. Each of them is told by ``crew`` with whom it shares a window. ``require_debug`` is
    the folder of a smaller run that must be complete by its content before anything is computed.
    The models of ``trusted_arms`` may run code of their own. ``adopt`` says that a run which
    somebody else planned is to be believed.
    """

    window_s: float | None = None
    max_chunks: int | None = None
    arms: tuple[str, ...] | None = None
    shared_folder: bool = False
    device_wait_s: float = 0.0
    lock_cpu: bool = False
    workers: int = 1
    dask: str | None = None
    require_debug: Path | None = None
    crew: str = ""
    trusted_arms: tuple[str, ...] = ()
    adopt: bool = False

    def words(self) -> list[str]:
        """What ``ptyrun run`` is told, so that it works like this.

        Examples
        --------
        >>> SessionOptions(window_s=170.0, lock_cpu=True, arms=("pinn",)).words()
        ['--window', '170.0', '--arm', 'pinn', '--lock-cpu']
        """
        words: list[str] = []
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value == entry.default:
                continue
            name = _SPELT.get(entry.name, entry.name.removesuffix("_s"))
            option = f"--{name.replace('_', '-')}"
            if value is True:
                words.append(option)
            else:
                each = value if isinstance(value, tuple) else (value,)
                words += [word for one in each for word in (option, str(one))]
        return words
