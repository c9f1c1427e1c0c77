"""How well does each arm's object explain the measured frames, in a form that windows can keep?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property, partial, reduce
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.kept import Finding
from ptyrun.comparison.lit import Lit, Modes
from ptyrun.comparison.sources import Sources
from ptyrun.comparison.steps import Steps
from ptyrun.comparison.sums import ArmObject
from ptyrun.comparison.undone import Undone
from ptyrun.config import ArmKind, Presentation
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import GeometryError
from ptyrun.frame_results import OF_THE_SCAN, OWN_PROBE, SCANS_PROBE, CountingNoise, FrameFigures
from ptyrun.host.documents import digest_of
from ptyrun.ptycho.consistency.counting_noise import UNKNOWN, Counting
from ptyrun.ptycho.consistency.measured_frames import Frames, Measured
from ptyrun.ptycho.consistency.r_factor import (
    SEED,
    FrameSums,
    drawn,
    frame_sums,
    frames_within,
    noise_alone,
)
from ptyrun.ptycho.metrics.alignment import align
from ptyrun.ptycho.metrics.factors import coherence
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.results import Metric, Results
from ptyrun.texts import counted

# With fewer frames in common each arm is held against its own.
FEWEST = 4

R_FACTOR, FOURIER_ERROR = "r_factor", "fourier_error"
NO_PROBE = "there is no probe"
# A warning: so large, and so much larger than the least.
MUCH_LEFT, FAR_MORE = 0.25, 2.0
FRAME_SOURCES: Mapping[str, str] = {
    R_FACTOR: "sum |cM - A| / sum |A| over measured amplitudes A and those modelled, M, with one "
    "factor c; doi:10.1107/S0365110X65001081; `frames` says over which; blind to what no frame "
    "shows, and to what its probe makes up for",
    FOURIER_ERROR: "sum (cM - A)^2 / sum A^2, of the same frames; "
    "doi:10.1016/j.ultramic.2009.05.012",
    "counting_noise": "R-factor that photon counting alone leaves, sum E|sqrt n - sqrt lambda| / "
    "sum sqrt n with Poisson n of the modelled mean lambda, whose root has a standard deviation of "
    "1/2 at high counts; doi:10.2307/2983678",
}
_SUMS = ("frames", "absolute", "measured", "cross", "model_power", "measured_power")


@dataclass(frozen=True)
class ArmFrames:
    """What an arm leaves of the measured frames; without ``sums`` it says why it cannot be told."""

    figures: FrameFigures
    sums: FrameSums | None
    why_none: str = ""

    @property
    def metrics(self) -> dict[str, Metric]:
        """The figures by name."""
        if self.sums is None:
            return {R_FACTOR: Metric(), FOURIER_ERROR: Metric()}
        return {
            R_FACTOR: Metric(value=self.sums.r_factor()),
            FOURIER_ERROR: Metric(value=self.sums.fourier_error()),
        }

    @property
    def undefined(self) -> dict[str, str]:
        """Why figures do not exist."""
        names = (R_FACTOR, FOURIER_ERROR) if self.sums is None else ()
        return {f"{name}.value": self.why_none for name in names}

    @property
    def undone(self) -> Undone | None:
        """What was undone of the object before."""
        return Undone.in_figures(self.figures)

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be said of the figures."""
        return () if self.undone is None else (self.undone.note(),)

    def finding(self) -> Finding:
        """As it is kept for later windows."""
        facts: dict[str, Any] = {"figures": asdict(self.figures), "why_none": self.why_none}
        if self.sums is None:
            return Finding(facts, {})
        arrays = {name: getattr(self.sums, name) for name in _SUMS}
        return Finding({**facts, "scale": self.sums.scale}, arrays)

    @classmethod
    def of(cls, found: Finding) -> Self:
        """Read back what :meth:`finding` gave."""
        facts = found.facts
        sums = None
        if "scale" in facts:
            arrays = {name: found.arrays[name] for name in _SUMS}
            sums = FrameSums(scale=facts["scale"], **arrays)
        pairs = ("moved_px", "ramp_rad_per_px")  # which JSON has as lists
        told = {name: tuple(facts["figures"][name] or ()) or None for name in pairs}
        return cls(FrameFigures(**{**facts["figures"], **told}), sums, facts["why_none"])


@dataclass(frozen=True)
class KeptNoise:
    """What counting noise alone would leave, as windows keep it."""

    noise: CountingNoise

    def finding(self) -> Finding:
        """As it is kept for later windows."""
        return Finding(asdict(self.noise), {})

    @classmethod
    def of(cls, found: Finding) -> Self:
        """Read back what :meth:`finding` gave."""
        return cls(CountingNoise(**found.facts))


@dataclass(frozen=True)
class FrameCheck:
    """Which frames all arms are held against, and of how many.

    ``common`` (H, W) is what all arms cover, ``count`` the number of frames, all where None;
    ``elsewhere`` are the frames that each arm covers from which something is undone.
    """

    scan: Scan
    manifest: Manifest
    common: NDArray[np.bool_]
    count: int | None
    elsewhere: tuple[NDArray[np.int64], ...] = ()
    # What was read last, with the scan's probe and another: most arms have the same frames.
    _read: dict[bool, Measured] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls, scan: Scan, manifest: Manifest, arms: Mapping[str, ArmObject], count: int | None
    ) -> Self:
        """Take what all *arms* cover."""
        covered = [arm.coverage > 0 for arm in arms.values()]
        return cls(scan, manifest, reduce(np.logical_and, covered), count)

    def arm(self, plan: ArmPlan, arm: ArmObject) -> Lit:
        """Light an arm's object with its own probe, where it brings one, else with the scan's."""
        modes, whose = self._scans_modes, SCANS_PROBE
        if plan.kind == ArmKind.RECONSTRUCTION and not self.scan.near_field:
            found = open_reconstruction(Sources.of(self.manifest).arms[plan.name]).probe_modes
            if found is not None and found.shape[1:] == (self.scan.patch_px,) * 2:
                modes, whose = found, OWN_PROBE
        return Lit(arm.image, arm.coverage > 0, modes, whose)

    def truth(self, image: NDArray[np.complex64]) -> Lit:
        """Light the scan's own object: what noise and positions leave at least."""
        return Lit(image, np.ones(image.shape, bool), self._scans_modes, SCANS_PROBE)

    @cached_property
    def counting(self) -> Counting | None:
        """What one photon is, where that is known."""
        return Counting.of(self.scan)

    def held(self, light: Callable[[], Lit], undone: Undone | None = None) -> ArmFrames:
        """Hold an object against the frames, as it lies and with what is *undone*: the better fit.

        An object with its own probe stays where both belong together.
        """
        lit = light()
        found = self._held(lit)
        if undone is None or found.sums is None or lit.whose != SCANS_PROBE:
            return found
        moved = lit.with_undone(undone)
        if found.figures.is_common and not self._are_within(moved):
            return found
        other = self._held(moved)
        is_better = other.sums is not None and other.sums.r_factor() < found.sums.r_factor()
        return other if is_better else found

    def _are_within(self, lit: Lit) -> bool:
        """Whether an object covers the frames that are held against all arms."""
        own = frames_within(lit.seen(self.scan), lit.covered)
        return bool(np.isin(self._within_common, own).all())

    def _held(self, lit: Lit) -> ArmFrames:
        common, own = self._within_common, frames_within(lit.seen(self.scan), lit.covered)
        is_common = len(common) >= FEWEST
        chosen = drawn(common if is_common else own, self.count)
        why_none = ""
        if self.scan.near_field:
            why_none = "frames of the near field are modelled by no Fourier transform"
        elif lit.modes is None:
            why_none = NO_PROBE
        elif len(chosen) < FEWEST:
            n_own = counted(len(own), "frame")
            why_none = f"wholly in what it covers lie {n_own}, of {FEWEST} at least"
        counts = FrameFigures(0, len(common), len(own), self.scan.n_frames, is_common)
        if why_none or lit.modes is None:
            return ArmFrames(counts, None, why_none)
        shared = self._measured(chosen, lit, lit.modes)
        sums = frame_sums(shared.frames.scan, lit.image, lit.modes, chosen, shared)
        probe = self.scan.probe if lit.whose is OWN_PROBE else None
        figures = FrameFigures(
            n_frames=len(sums.frames),
            n_common=len(common),
            n_covered=len(own),
            n_scan=self.scan.n_frames,
            is_common=is_common,
            probe=lit.whose,
            n_modes=len(lit.modes),
            scale=sums.scale,
            seed=SEED,
            probe_coherence=None if probe is None else _agreement(lit.modes[0], probe),
            moved_px=None if lit.undone is None else lit.undone.moved_px,
            ramp_rad_per_px=None if lit.undone is None else lit.undone.ramp_rad_per_px,
        )
        return ArmFrames(figures, sums)

    def noise(
        self, objects: Mapping[str, Callable[[], Lit]], found: Mapping[str, ArmFrames]
    ) -> CountingNoise:
        """R-factor that counting noise alone would leave of the frames of the ground truth.

        Where none is known, of those of the object that explains most.
        """
        if self.counting is None:
            return CountingNoise(why_none=UNKNOWN)
        sums = {name: each.sums for name, each in found.items() if each.sums is not None}
        modelled = {name: each for name, each in sums.items() if each.scale > 0}
        if not modelled:
            whys = dict.fromkeys(each.why_none for each in found.values() if each.why_none)
            return CountingNoise(why_none="; ".join(whys) or "the frames hold no light")
        best = min(modelled, key=lambda name: modelled[name].r_factor())
        if self.scan.has_ground_truth and OF_THE_SCAN in modelled:
            best = OF_THE_SCAN
        return CountingNoise(
            self._by_counting(
                objects[best]().with_undone(found[best].undone), modelled[best], self.counting
            ),
            best,
            self.counting.known_from,
        )

    def _by_counting(self, lit: Lit, sums: FrameSums, counting: Counting) -> float | None:
        if lit.modes is None:
            return None
        frames = self._measured(sums.frames, lit, lit.modes)
        return noise_alone(frames.frames.scan, lit.image, sums, frames, counting)

    @cached_property
    def _scans_modes(self) -> Modes | None:
        return self.scan.probe_modes

    @cached_property
    def _within_common(self) -> NDArray[np.int64]:
        """What all arms cover as they lie, and as they are moved where that leaves enough."""
        lying = frames_within(self.scan, self.common)
        everywhere = reduce(np.intersect1d, self.elsewhere, lying)
        return everywhere if len(everywhere) >= FEWEST else lying

    def _measured(self, numbers: NDArray[np.int64], lit: Lit, modes: Modes) -> Measured:
        if lit.undone is not None:
            return Measured(Frames(lit.seen(self.scan), numbers), modes)
        is_scans = modes is self._scans_modes
        last = self._read.get(is_scans)
        if last is not None and last.modes is modes and last.frames.are(numbers):
            return last
        known = (each.frames for each in self._read.values() if each.frames.are(numbers))
        frames = next(known, None) or Frames(self.scan, numbers)
        self._read[is_scans] = Measured(frames, modes)
        return self._read[is_scans]


def _agreement(own: NDArray[Any], probe: NDArray[Any]) -> float | None:
    """Coherence of two probes (N, N), the first registered onto the second."""
    try:
        aligned = align(own, probe, fading=True)
    except GeometryError:
        return None
    return coherence(aligned.recon, aligned.truth)


@dataclass(frozen=True)
class Held:
    """Every arm, and the scan's own object if there is one, held against the frames."""

    arms: Mapping[str, ArmFrames]
    truth: ArmFrames | None
    counting: Counting | None = None
    counting_noise: CountingNoise | None = None

    @property
    def counts_per_frame(self) -> float | None:
        """Mean of the frames that arms are held against; None where photons are not known."""
        sums = next((arm.sums for arm in self.arms.values() if arm.sums is not None), None)
        if sums is None or self.counting is None or not len(sums.frames):
            return None
        return float(sums.measured_power.mean()) / self.counting.unit

    @classmethod
    def of(
        cls,
        steps: Steps,
        keys: Sequence[str],
        scan: Scan,
        manifest: Manifest,
        arms: Mapping[str, ArmObject],
        undone: Mapping[str, Undone],
    ) -> Self:
        """Do so arm by arm, each a step; *keys* say what all objects depend on.

        Of objects that the scan's probe lights, what is *undone* is by the arms' names.
        """
        count = Presentation.from_facts(manifest.sources).r_factor_frames
        check = FrameCheck.of(scan, manifest, arms, count or None)
        counting = None if check.counting is None else check.counting.unit
        undoing = {name: asdict(each) for name, each in undone.items()}
        key = digest_of([list(keys), Results.SCHEMA, count, counting, undoing])

        objects = {
            plan.name: cache(partial(check.arm, plan, arms[plan.name])) for plan in manifest.arms
        }
        moved = [objects[name]().with_undone(each) for name, each in undone.items()]
        check = replace(
            check,
            elsewhere=tuple(
                frames_within(lit.seen(scan), lit.covered)
                for lit in moved
                if lit.whose == SCANS_PROBE
            ),
        )
        image = scan.object_guess
        if image is not None:
            objects[OF_THE_SCAN] = cache(partial(check.truth, image))
        found = {
            name: steps.taken(
                f"frames of {'the scan' if name == OF_THE_SCAN else name}",
                key,
                ArmFrames.of,
                partial(check.held, light, undone.get(name)),
            )
            for name, light in objects.items()
        }
        noise = steps.taken(
            "frames of counting noise",
            digest_of([key, scan.object_role]),
            KeptNoise.of,
            lambda: KeptNoise(check.noise(objects, found)),
        )
        truth = found.pop(OF_THE_SCAN, None)
        return cls(found, truth, check.counting, noise.noise)


def why_unexplained(own: float | None, others: Mapping[str, float]) -> str | None:
    """Say so where an arm leaves far more of the frames than another, or the scan's own object.

    Parameters
    ----------
    own : float, optional
        R-factor of the arm.
    others : mapping of str to float
        R-factors of all, by what texts call them.
    """
    best = min(others, key=others.__getitem__, default="")
    if not own or not best or not others[best] or own < max(MUCH_LEFT, FAR_MORE * others[best]):
        return None
    return (
        f"it hardly explains the measured frames: R-factor {own:.2f}, where {best} has "
        f"{others[best]:.2f}"
    )
