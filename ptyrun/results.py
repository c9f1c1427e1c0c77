"""What did the comparison find? The content of ``results.json``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ptyrun.errors import ForeignFileError
from ptyrun.host.documents import Document, text_of
from ptyrun.host.regular import read_regular
from ptyrun.host.typed_json import parse
from ptyrun.texts import is_plain


@dataclass(frozen=True)
class Metric:
    """One figure, for amplitude and phase or for the whole; None where it does not exist."""

    amplitude: float | None = None
    phase: float | None = None
    value: float | None = None

    def __getitem__(self, component: str) -> float | None:
        """Give a component by its name, as ``results.json`` has it."""
        return {"amplitude": self.amplitude, "phase": self.phase, "value": self.value}[component]


# The thresholds of ring correlations in results of schema 1, whatever was compared.
OF_HALVES = "two noisy images"

# Shares of the region may differ by this much before figures are those of other pixels.
SAME_PIXELS = 0.1


@dataclass(frozen=True)
class FrameFigures:
    """Of which frames, and with what, an arm's ``r_factor`` and ``fourier_error`` are.

    Of the scan's ``n_scan`` frames ``n_covered`` lie wholly in what the arm covers and ``n_common``
    in what every arm does; ``n_frames`` of the latter were drawn, or, where there are too few, of
    the former: ``is_common`` tells. ``probe`` says whose it was, of ``n_modes``; ``scale`` brought
    all modelled amplitudes to the measured ones.
    """

    n_frames: int
    n_common: int
    n_covered: int
    n_scan: int
    is_common: bool
    probe: str = ""
    n_modes: int = 0
    scale: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class ArmResult:
    """The figures of one arm.

    ``metrics`` has upstream's names and definitions, ``standard`` the field's; ``mismatch`` says
    why the arm does not belong to the scan, when it does not; ``covered_share`` is how much of the
    measured region the arm covers, where there is a ground truth. ``frc_thresholds`` says for which
    images the thresholds of ring correlations are, ``undefined`` why a standard figure, named as in
    "frc50.phase", does not exist; ``frames`` of which measured frames the R-factor is.
    """

    label: str
    kind: str
    n_groups: int
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    standard: Mapping[str, Metric] = field(default_factory=dict)
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    mismatch: str | None = None
    notes: tuple[str, ...] = ()
    computation_time_s: float | None = None
    covered_share: float | None = None
    frc_thresholds: str = OF_HALVES
    undefined: Mapping[str, str] = field(default_factory=dict)
    frames: FrameFigures | None = None


@dataclass(frozen=True)
class PairResult:
    """Two arms against each other, where no ground truth is needed."""

    first: str
    second: str
    standard: Mapping[str, Metric] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    frc_thresholds: str = OF_HALVES
    undefined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Results(Document):
    """Everything that ``finalize`` found, bound to the run by the manifest's digest.

    ``truth`` has what the scan's own object leaves of the frames: no arm can be expected to leave
    less.
    """

    NAME: ClassVar[str] = "results.json"
    # Raised whenever a standard figure means something else; ``finalize`` then makes them again.
    SCHEMA: ClassVar[int] = 3
    REMEDY: ClassVar[str] = "run `ptyrun finalize` again"
    IS_SEALED: ClassVar[bool] = False
    MAX_BYTES: ClassVar[int] = 2**26

    manifest_digest: str
    has_ground_truth: bool
    evaluated_region_px: tuple[int, int, int, int]
    arms: Mapping[str, ArmResult]
    pairs: tuple[PairResult, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    truth: Mapping[str, Metric] = field(default_factory=dict)

    def labels_of(self, pair: PairResult) -> tuple[str, str]:
        """Labels of a pair's arms."""
        return self.arms[pair.first].label, self.arms[pair.second].label

    @property
    def covered_shares(self) -> tuple[float, ...]:
        """Shares of the region that arms cover, from the least to the greatest."""
        shares = (arm.covered_share for arm in self.arms.values())
        return tuple(sorted(share for share in shares if share is not None))

    @property
    def are_comparable(self) -> bool:
        """Whether the arms' figures are of the same pixels, but for a tenth of the region."""
        shares = self.covered_shares
        return not shares or shares[-1] - shares[0] <= SAME_PIXELS

    def summary_lines(self) -> list[str]:
        """What was found, one line for each arm.

        Coverage and size of what was measured; SSIM of amplitude and phase, and the coherence of
        the fields, where there is a ground truth; the R-factor; why an arm does not
        belong to the scan. Without a ground truth, the coherence of each pair besides.
        """
        _, _, height, width = self.evaluated_region_px
        lines = [
            f"{arm.label}: {', '.join(_summary(arm, f'{height} x {width} px'))}"
            for arm in self.arms.values()
        ]
        for pair in self.pairs:
            value = pair.standard.get("coherence", Metric()).value
            if value is not None:
                lines.append(f"{' against '.join(self.labels_of(pair))}: coherence {value:.3f}")
        return lines

    def to_json(self) -> str:
        """Canonical text; what is not finite becomes null, since JSON has no NaN."""
        return text_of(_finite({"schema": self.SCHEMA, **asdict(self)}))

    def check(self) -> None:
        """Refuse labels and pairs that no finalize writes."""
        if not all(is_plain(arm.label) for arm in self.arms.values()):
            raise ValueError("a label has control characters")
        for pair in self.pairs:
            if not {pair.first, pair.second} <= self.arms.keys():
                raise ValueError(f"a pair of {pair.first!r:.80} and {pair.second!r:.80}")


def are_of(path: Path, manifest_digest: str) -> bool:
    """Whether results lie there that quote this manifest, as far as one look at them tells."""
    try:
        document = parse(read_regular(path, Results.MAX_BYTES))
    except (OSError, ValueError, ForeignFileError):
        return False
    return isinstance(document, dict) and document.get("manifest_digest") == manifest_digest


def _summary(arm: ArmResult, region: str) -> Iterator[str]:
    if arm.covered_share is not None:
        yield f"{arm.covered_share:.0%} of {region} covered"
    elif arm.n_groups:
        yield f"{arm.n_groups} groups over {region}"
    else:
        yield f"over {region}"
    ssim = arm.standard.get("ssim", Metric())
    if ssim.amplitude is not None and ssim.phase is not None:
        yield f"SSIM {ssim.amplitude:.3f} (amplitude), {ssim.phase:.3f} (phase)"
    coherence = arm.standard.get("coherence", Metric()).value
    if coherence is not None:
        yield f"coherence {coherence:.3f}"
    r_factor = arm.standard.get("r_factor", Metric()).value
    if r_factor is not None:
        yield f"R-factor {r_factor:.3f}"
    if arm.mismatch:
        yield f"DOES NOT BELONG TO THIS SCAN: {arm.mismatch}"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value
