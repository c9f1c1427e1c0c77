"""Can this be a prediction at all? Content checks, and the blocker that a failed one leaves."""

from __future__ import annotations

import datetime
import logging
import math
import shlex
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import blockers
from ptyrun.engine.rows import Rows, parts
from ptyrun.errors import BlockedError, PredictionError
from ptyrun.host import durable
from ptyrun.paths import RunPaths
from ptyrun.ptycho.geometry import coverage
from ptyrun.results import ArmResult, Metric
from ptyrun.texts import shown

log = logging.getLogger(__name__)

_COLLAPSED_SPREAD = 1e-6
_HOLE_FRACTION = 0.01
_PART_BYTES = 2**22
_LARGEST = float(np.sqrt(np.finfo(np.float32).max)) / 2
_ERRORS = ("mae", "mse")
_DIAGNOSTIC = "DIAGNOSTIC "
_EVIDENCE = "## Evidence\n\n"


@dataclass(frozen=True)
class Figures:
    """The DIAGNOSTIC figures of an array, of its absolute values."""

    mean: float
    max: float
    nonzero_count: int
    size: int

    def __str__(self) -> str:
        return (
            f"mean={self.mean:.6g}, max={self.max:.6g}, "
            f"nonzero_count={self.nonzero_count}/{self.size}"
        )

    def numbers(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def figures(array: NDArray[np.generic]) -> Figures:
    """Mean and maximum of the absolute values, and how many are not zero."""
    total, largest, nonzero_count = 0.0, 0.0, 0
    # Part by part: the absolute values of a large chunk would take half its size once more.
    step = max(1, _PART_BYTES * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), step):
        magnitude = np.abs(array[start : start + step])
        total += float(magnitude.sum(dtype=np.float64))
        largest = float(np.maximum(largest, magnitude.max(initial=0.0)))  # NaN stays
        nonzero_count += int(np.count_nonzero(magnitude))
    return Figures(total / max(1, array.size), largest, nonzero_count, array.size)


class Tally:
    """The figures of many patches, the same bits however they are handed over."""

    def __init__(self) -> None:
        self.n_items = 0
        self._parts = array("d")
        self._max = 0.0
        self._nonzero_count = 0
        self._size = 0

    def add(self, patches: NDArray[np.complex64]) -> None:
        """Count patches (k, N, N) in."""
        step = max(1, _PART_BYTES * len(patches) // max(1, patches.nbytes))
        for start in range(0, len(patches), step):
            self._add_part(patches[start : start + step])

    def _add_part(self, patches: NDArray[np.complex64]) -> None:
        # Elementary operations and one sum per patch: vectors and their rests round alike, so
        # that the cut into parts and chunks leaves no trace in the total.
        magnitude = np.sqrt(patches.real**2 + patches.imag**2)
        rows = magnitude.astype(np.float64).reshape(len(patches), -1)
        self._parts.extend(rows.sum(axis=1).tolist())
        self._max = max(self._max, float(magnitude.max(initial=0.0)))
        self._nonzero_count += int(np.count_nonzero(magnitude))
        self._size += magnitude.size
        self.n_items += len(patches)

    @property
    def state(self) -> NDArray[np.float64]:
        """All that was counted, to go on from later."""
        rest = [self._max, self._nonzero_count, self._size]
        return np.concatenate([np.array(rest, np.float64), self._parts])  # counts are below 2^53

    def resume(self, state: NDArray[np.float64]) -> None:
        """Go on from the `state` of another tally."""
        largest, nonzero_count, size = state[:3].tolist()
        self._parts = array("d", state[3:].tobytes())
        self._max, self._nonzero_count, self._size = largest, int(nonzero_count), int(size)
        self.n_items = len(self._parts)

    def figures(self) -> Figures:
        """Of everything that was added."""
        mean = math.fsum(self._parts) / max(self._size, 1)
        return Figures(mean, self._max, self._nonzero_count, self._size)


def output_name(arm: str) -> str:
    """What upstream's log calls an arm's output."""
    return "PINN patches" if arm == "pinn" else f"{arm}_output"


def log_first_patch(patch: NDArray[np.complex64]) -> None:
    """Log shape, range and mean of the first patch's amplitude and phase."""
    for name, values in (("amplitude", np.abs(patch)), ("phase", np.angle(patch))):
        log.info(
            "DIAGNOSTIC first patch %s: shape=%s, mean=%.6g, min=%.6g, max=%.6g",
            name,
            values.shape,
            values.mean(),
            values.min(),
            values.max(),
        )


def require_content(arm: str, items: range, patches: NDArray[np.complex64], found: Figures) -> None:
    """Refuse patches that contain no usable values.

    Raises
    ------
    BlockedError
        If they are not finite, all zero, all one value, all the same patch, or so large that
        nothing can be computed from them.
    """
    where = f"groups {items.start}..{items.stop - 1} of arm {arm!r}"
    # A sound chunk is told by a look at its figures and its first patches; only what looks
    # wrong there is looked at whole.
    if not np.isfinite(found.mean) and not np.isfinite(patches).all():
        bad = int(np.count_nonzero(~np.isfinite(patches)))
        raise _blocked(arm, "non-finite", where, f"{bad} of {found.size} values are NaN or inf")
    if found.nonzero_count == 0:
        raise _blocked(arm, "all-zero", where, f"every value is zero ({found})")
    if found.max > _LARGEST:
        raise _blocked(arm, "too-large", where, f"their squares are infinite ({found})")
    limit = _COLLAPSED_SPREAD * found.max
    if _spread(patches[:1]) <= limit and _spread(patches) <= limit:
        raise _blocked(arm, "constant", where, f"every value is {patches.flat[0]:.6g} ({found})")
    if len(patches) > 1 and all((patch == patches[0]).all() for patch in patches[1:]):
        raise _blocked(
            arm, "collapsed", where, f"all {len(patches)} patches are the same ({found})"
        )


def _spread(patches: NDArray[np.complex64]) -> float:
    return float(np.abs(patches - patches.flat[0]).max())


def _blocked(arm: str, reason: str, where: str, evidence: str) -> BlockedError:
    return BlockedError(
        f"{reason}: the predictions for {where} contain no usable values",
        why=evidence,
        do=_remedy(arm),
    )


def _remedy(arm: str) -> str:
    return (
        f"check the model of {arm!r} and its inputs; if its files or its code change for that, the "
        f"command that planned the run goes on with --invalidate {arm}"
    )


@dataclass(frozen=True)
class Hole:
    """Where positions promise an object and every patch there is zero.

    Attributes
    ----------
    missing_px, promised_px : int
        Pixels without a patch that carries anything, of those that positions promise.
    silent, n_items : int
        Patches that contain no usable values, of how many.
    where : str
        The rectangle around the hole.
    """

    missing_px: int
    promised_px: int
    silent: int
    n_items: int
    where: str

    @classmethod
    def left_by(
        cls,
        carries: NDArray[np.bool_],
        centres_px: Rows,
        shape: tuple[int, int],
        crop_px: int,
    ) -> Self:
        """Judge patches by whether each one carries anything, (G,), and by their centres (G, 2).

        Gaps between positions are no hole: nothing was promised there.
        """
        cuts = list(parts(len(carries)))
        wanted = coverage.promised(shape, crop_px, (centres_px[part] for part in cuts))
        laid = coverage.promised(shape, crop_px, (centres_px[part][carries[part]] for part in cuts))
        missing = wanted & ~laid
        rows, columns = (np.flatnonzero(missing.any(axis)) for axis in (1, 0))
        where = ""
        if len(rows):
            where = f"rows {rows[0]}..{rows[-1]}, columns {columns[0]}..{columns[-1]}"
        silent = int(np.count_nonzero(~carries))
        return cls(int(missing.sum()), int(wanted.sum()), silent, len(carries), where)

    @property
    def note(self) -> str | None:
        """What a reader must know; None if every patch carries something."""
        if not self.silent:
            return None
        return (
            f"{self.silent} of {self.n_items} patches are all zero and leave "
            f"{self.missing_px} of {self.promised_px} expected pixels empty"
        )


def require_coverage(arm: str, hole: Hole | None) -> None:
    """Refuse an object that has holes where patches should lie.

    Raises
    ------
    BlockedError
        If more than a hundredth of it does.
    """
    if hole is not None and hole.missing_px > _HOLE_FRACTION * hole.promised_px:
        raise BlockedError(
            f"coverage-hole: the object of arm {arm!r} has holes where patches should lie",
            why=f"{hole.note} ({hole.where})",
            do=_remedy(arm),
        )


def require_metrics(arm: str, result: ArmResult) -> None:
    """Refuse a row of metrics that measures nothing.

    Raises
    ------
    BlockedError
        If the errors of amplitude or phase are not finite.
    """
    empty = [
        f"{name} of the {quantity} is {value}"
        for name in _ERRORS
        for quantity in ("amplitude", "phase")
        if not _is_finite(value := getattr(result.metrics.get(name, Metric()), quantity))
    ]
    if empty:
        raise BlockedError(
            f"empty-metrics: the metrics of arm {arm!r} measure nothing",
            why=f"{', '.join(empty)}; {dict(result.diagnostics)}",
            do=f"look at the reconstruction of this arm; {_remedy(arm)}",
        )


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def wrong_form(arm: str, error: PredictionError) -> BlockedError:
    """Say that the predictor of *arm* does not give one patch per group."""
    what, why, _ = error.args
    return BlockedError(
        f"wrong-form: the predictions of arm {arm!r} are not one patch per group",
        why=f"{what}; {why}",
        do=_remedy(arm),
    )


def block(paths: RunPaths, error: BlockedError, resume: str) -> BlockedError:
    """Leave a blocker that names this process's command; give the error back to be raised."""
    blocker = write_blocker(paths.blocked, error, _own_command(), resume)
    log.error("blocked: see %s", blocker)
    return error


def _own_command() -> list[str]:
    """As a person gives it: `python -m` puts the path of a file in place of the program's name."""
    program, *words = sys.argv
    own = Path(program).name == "ptyrun" or Path(program).parts[-2:] == ("ptyrun", "__main__.py")
    return ["ptyrun" if own else program, *words]


def evidence(blocker: Path) -> str:
    """Read what a blocker gives as evidence; empty if a person wrote something else."""
    text = blocker.read_text(encoding="utf-8", errors="replace")
    return text.partition(_EVIDENCE)[2].partition("\n\n## ")[0].removeprefix(_DIAGNOSTIC).strip()


def write_blocker(folder: Path, error: BlockedError, command: Sequence[str], resume: str) -> Path:
    """Leave a blocker for a person: command, reason, evidence, what to do, how to resume.

    Returns
    -------
    Path
        ``blocked/<UTC>-<reason>.md``.
    """
    what, why, do = error.args
    reason = what.partition(":")[0].replace(" ", "-")
    now = datetime.datetime.now(datetime.UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:{blockers.STAMP}}-{reason}.md"
    sections: Mapping[str, str] = {
        "Command": f"```\n{shlex.join(command)}\n```",
        "Reason": what,
        "Evidence": f"{_DIAGNOSTIC}{why}",
        "What to do": do,
        "Resume": f"```\n{resume}\n```",
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    durable.write_text(path, shown(f"# Blocked: {reason}\n\n{body}\n"))
    return path
