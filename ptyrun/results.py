"""What did the comparison find? The content of ``results.json``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ptyrun.errors import ForeignFileError
from ptyrun.frame_results import CountingNoise, FrameFigures
from ptyrun.host.documents import Document, Upgrade, text_of
from ptyrun.host.regular import read_regular
from ptyrun.host.typed_json import parse
from ptyrun.resolutions import with_bounds
from ptyrun.shares import as_percent
from ptyrun.texts import counted, is_plain


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
class OwnRegion:
    """The field's figures of one arm on all pixels that it covers; they rank nothing.

    ``region_px`` is (top, left, height, width) on the object's grid, None where results of an older
    schema do not say it; ``covered_share`` is how much of it the arm covers. ``at_least`` are
    figures, named as in "frc50.phase", of which the value is a bound.
    """

    covered_share: float
    region_px: tuple[int, int, int, int] | None = None
    standard: Mapping[str, Metric] = field(default_factory=dict)
    undefined: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    at_least: tuple[str, ...] = ()


@dataclass(frozen=True)
class CommonRegion:
    """The pixels that all arms cover: where arms are compared.

    ``region_px`` is (top, left, height, width) on the object's grid, ``covered_px`` how many of its
    pixels count, ``ms_ssim_scales`` how many scales MS-SSIM has there, for every arm.
    """

    region_px: tuple[int, int, int, int]
    covered_px: int
    ms_ssim_scales: int

    def __str__(self) -> str:
        _, _, height, width = self.region_px
        return f"the {self.covered_px} px that all arms cover in {height} x {width} px"


@dataclass(frozen=True)
class Interval:
    """Between which values a figure, or a difference of two, lies by chance."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is more than chance."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Resampling:
    """How intervals were found: a bootstrap of blocks, the same ones for all arms.

    ``block_px`` is the side of ``n_blocks`` squares of the compared pixels, up to three times that
    at which errors are no longer correlated, ``frame_block_px`` that of the squares in which frames
    lie. Intervals are made longer for few blocks and for what is correlated across their edges.
    MS-SSIM is resampled in squares of a window of its coarsest scale, or not at all. Alignment and
    what is covered are not resampled. ``why_none`` says why there are no intervals.
    """

    confidence: float
    n_resamples: int
    seed: int
    block_px: int | None = None
    n_blocks: int | None = None
    frame_block_px: int | None = None
    n_frame_blocks: int | None = None
    why_none: str = ""


@dataclass(frozen=True)
class Difference:
    """Figures of the first arm less those of the second, by names like "mae.phase"."""

    first: str
    second: str
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class LineProfile:
    """Values along a line, a pixel apart, and over which distance its edge goes from 10 to 90 %.

    Phases are in radians; what is not known is None. Where there is no width, ``..._why_none``
    says why.
    """

    amplitude: tuple[float | None, ...]
    phase: tuple[float | None, ...]
    amplitude_edge_px: float | None = None
    phase_edge_px: float | None = None
    amplitude_why_none: str = ""
    phase_why_none: str = ""


@dataclass(frozen=True)
class LineResult:
    """Profiles of arms and of the ``reference`` along the line y0, x0, y1, x1, in object pixels."""

    ends_px: tuple[float, float, float, float]
    profiles: Mapping[str, LineProfile]


@dataclass(frozen=True)
class HalvesResult:
    """Up to which frequency do the even and the odd groups of one network make the same object?

    ``precision`` is in fractions of Nyquist, by thresholds for two noisy images. It is precision,
    not accuracy: what a network gets wrong each time, both halves share. ``covered_share`` is how
    much of the region both cover, ``shared_frames`` how many of the frames both were made from.
    """

    precision: Mapping[str, Metric]
    undefined: Mapping[str, str]
    covered_share: float
    shared_frames: float
    at_least: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArmResult:
    """The figures of one arm.

    ``metrics`` has upstream's names and definitions, ``standard`` the field's, on the pixels that
    all arms cover; ``own`` has these on all pixels that this arm covers. ``mismatch`` says why the
    arm does not belong to the scan, when it does not. ``frc_thresholds`` says for which images the
    thresholds of ring correlations are, ``undefined`` why a standard figure, named as in
    "frc50.phase", does not exist; ``frames`` of which measured frames the R-factor is, ``halves``
    what its even and odd groups have in common, ``intervals`` between which values a standard
    figure lies by chance, ``half_period`` the resolutions as lengths. ``at_least`` are figures
    whose value is the least that it can be: the correlation crosses nowhere up to Nyquist, and the
    half period is the most.
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
    own: OwnRegion | None = None
    frc_thresholds: str = OF_HALVES
    undefined: Mapping[str, str] = field(default_factory=dict)
    frames: FrameFigures | None = None
    halves: HalvesResult | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    half_period: Mapping[str, Metric] = field(default_factory=dict)
    at_least: tuple[str, ...] = ()

    @property
    def is_unregistered(self) -> bool:
        """Whether the arm was left where it lies, as it was asked for or as nothing fitted."""
        return any(note.startswith("not registered: ") for note in self.notes)

    @property
    def has_own_pixels(self) -> bool:
        """Whether its own pixels are others than those that all arms cover."""
        own = {} if self.own is None else self.own.standard
        return any(repr(self.standard.get(name)) != repr(metric) for name, metric in own.items())


@dataclass(frozen=True)
class PairResult:
    """Two arms against each other, where no ground truth is needed."""

    first: str
    second: str
    standard: Mapping[str, Metric] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    frc_thresholds: str = OF_HALVES
    undefined: Mapping[str, str] = field(default_factory=dict)
    at_least: tuple[str, ...] = ()


def _with_own_regions(document: dict[str, Any]) -> dict[str, Any]:
    """Up to schema 3 there were figures of each arm's own pixels alone."""

    def upgraded(arm: dict[str, Any]) -> dict[str, Any]:
        share = arm.pop("covered_share", None)
        if share is None:
            return arm
        own = {"standard": arm.get("standard", {}), "undefined": arm.get("undefined", {})}
        return {**arm, "own": {"covered_share": share, **own}}

    arms = {name: upgraded(dict(arm)) for name, arm in document["arms"].items()}
    return {**document, "arms": arms}


@dataclass(frozen=True)
class Results(Document):
    """Everything that ``finalize`` found, bound to the run by the manifest's digest.

    ``has_ground_truth`` says that arms are measured against the truth, ``has_reference`` that it is
    a reference, another reconstruction of the same frames. ``doubts`` are those of the ``notes``
    that make figures doubtful. ``truth`` has what the scan's own object leaves of the frames.
    """

    NAME: ClassVar[str] = "results.json"
    # Raised whenever a standard figure means something else; ``finalize`` then makes them again.
    SCHEMA: ClassVar[int] = 8
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {3: _with_own_regions, 7: with_bounds}
    REMEDY: ClassVar[str] = "run `ptyrun finalize` again"
    IS_SEALED: ClassVar[bool] = False
    MAX_BYTES: ClassVar[int] = 2**26

    manifest_digest: str
    has_ground_truth: bool
    evaluated_region_px: tuple[int, int, int, int]
    arms: Mapping[str, ArmResult]
    common: CommonRegion | None = None
    pairs: tuple[PairResult, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    truth: Mapping[str, Metric] = field(default_factory=dict)
    has_reference: bool = False
    resampling: Resampling | None = None
    differences: tuple[Difference, ...] = ()
    pixel_size_m: float | None = None
    energy_ev: float | None = None
    counts_per_frame: float | None = None
    counting_noise: CountingNoise | None = None
    doubts: tuple[str, ...] = ()
    line: LineResult | None = None

    def __repr__(self) -> str:
        """Say what it is about; all of it is thousands of figures."""
        against = f", against the {self.object_role}" if self.is_measured else ""
        return f"<Results of {', '.join(self.arms)}{against}>"

    @property
    def is_measured(self) -> bool:
        """Whether arms are measured against an object: the truth, or a reference."""
        return self.has_ground_truth or self.has_reference

    @property
    def object_role(self) -> str:
        """What texts call the object that arms are measured against."""
        return "ground truth" if self.has_ground_truth else "reference"

    @property
    def half_period_unit(self) -> str:
        """What the half periods of arms are in: nanometres where the pixel's size is known."""
        return "px" if self.pixel_size_m is None else "nm"

    def are_distinguished(self, first: str, second: str, figure: str) -> bool | None:
        """Whether two arms differ in a figure, named as in "mae.phase", by more than chance.

        None where that is not known.
        """
        for difference in self.differences:
            if {difference.first, difference.second} == {first, second}:
                found = difference.intervals.get(figure)
                return None if found is None else found.excludes_zero
        return None

    def labels_of(self, pair: PairResult) -> tuple[str, str]:
        """Labels of a pair's arms."""
        return self.arms[pair.first].label, self.arms[pair.second].label

    @property
    def covered_shares(self) -> tuple[float, ...]:
        """Shares of their own regions that arms cover, from the least to the greatest."""
        return tuple(sorted(arm.own.covered_share for arm in self.arms.values() if arm.own))

    @property
    def are_comparable(self) -> bool:
        """Whether standard figures rank the arms: they are of the pixels that all arms cover.

        Those of an older schema are of each arm's own, which may differ by a tenth of the region.
        """
        return self.common is not None or self._are_old_and_alike

    @property
    def have_one_region(self) -> bool:
        """Whether figures on each arm's own pixels, as upstream's are, rank the arms as well."""
        regions = {arm.own.region_px for arm in self.arms.values() if arm.own}
        is_whole = all(share == 1 for share in self.covered_shares)
        return (len(regions - {None}) == 1 and is_whole) or self._are_old_and_alike

    @property
    def _are_old_and_alike(self) -> bool:
        owned = [arm.own for arm in self.arms.values() if arm.own]
        shares = self.covered_shares
        is_old = all(own.region_px is None for own in owned)
        return is_old and (not shares or shares[-1] - shares[0] <= SAME_PIXELS)

    def summary_lines(self) -> list[str]:
        """What was found, one line for each arm.

        Coverage and size of what was measured; SSIM of amplitude and phase, and the coherence of
        the fields, where there is a ground truth; the R-factor; why an arm does not
        belong to the scan. The coherence of each pair besides.
        """
        _, _, height, width = self.evaluated_region_px
        lines = [
            f"{arm.label}: {', '.join(_summary(arm, f'{height} x {width} px'))}"
            for arm in self.arms.values()
        ]
        if self.common is not None and len(self.arms) > 1:
            lines.append(f"compared on {self.common}")
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
        named: tuple[PairResult | Difference, ...] = (*self.pairs, *self.differences)
        for pair in named:
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
    if arm.own is not None:
        if arm.own.region_px is not None:
            region = "{2} x {3} px".format(*arm.own.region_px)
        yield f"{as_percent(arm.own.covered_share)} of {region} covered"
    elif arm.n_groups:
        yield f"{counted(arm.n_groups, 'group')} over {region}"
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
