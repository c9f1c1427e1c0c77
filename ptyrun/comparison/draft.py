"""What do the inputs of a plan amount to: facts, groups, and what may be doubted?

Found step by step. What takes long is kept until the plan stands, so that no window finds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import scipy

from ptyrun import __version__
from ptyrun.comparison import group_tables, inputs, scan_doubts, told
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.group_tables import ArmIndex, Reference
from ptyrun.comparison.kept import Finding
from ptyrun.comparison.model_facts import ModelFacts
from ptyrun.comparison.roles import open_given_scan
from ptyrun.comparison.sources import DARK, Sources
from ptyrun.comparison.steps import Findable, Steps, Texts
from ptyrun.comparison.surveys import Survey
from ptyrun.config import CHUNK_GROUPS, ArmConfig, ArmKind, CompareConfig, Fact
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import InputError, StorageError
from ptyrun.host import listing, memory
from ptyrun.host.documents import digest_of
from ptyrun.progress import Watcher
from ptyrun.ptycho.readers.npy_cache import PART_KEPT
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.ptycho.readers.opening import Survey as FrameSurvey

T = TypeVar("T", bound=Findable)
R = TypeVar("R")

# What grouping finds, as opposed to what was chosen: known only once the groups are drawn.
UNDRAWN = -1


@dataclass(frozen=True)
class Drawn:
    """A manifest whose groups are drawn, their tables by arm, and what the frames themselves say.

    ``frame_notes`` and ``dark_note`` are those of a `Survey`, of which no more is held: it has a
    number for each frame.
    """

    manifest: Manifest
    tables: Mapping[str, ArmIndex]
    frame_notes: tuple[str, ...]
    dark_note: str


@dataclass(frozen=True)
class Draft:
    """A plan in the making; :meth:`of` opens the inputs."""

    config: CompareConfig
    scan: Scan
    found: Survey
    fingerprints: Fingerprints
    watcher: Watcher
    steps: Steps | None = None
    digests: tuple[str, ...] = field(default=())

    @classmethod
    def of(
        cls,
        config: CompareConfig,
        watcher: Watcher,
        *,
        digests: Path | None = None,
        steps: Steps | None = None,
        on_found: inputs.Found = lambda arm, scan: None,
    ) -> Draft:
        """Open and check what is given.

        Parameters
        ----------
        config : CompareConfig
        watcher : Watcher
            Told how files were understood where that could be otherwise.
        digests : Path, optional
            Where digests of inputs are kept, beside what is unpacked.
        steps : Steps, optional
            Keeps what takes long; without them, nothing is kept.
        on_found : callable
            Told each network as soon as it is known.

        Raises
        ------
        UsageError
            For anything wrong that can be known before any work.
        WindowClosedError, WindowTooShortError
            If the window does not hold the next step.
        """
        fingerprints = Fingerprints(digests, measured=steps.measured if steps else None)
        cache = None if digests is None else digests.parent
        scan = _unpacking("open the scan", cache, steps, partial(open_given_scan, config, cache))
        memory.give_back()
        found = inputs.survey(config, scan, fingerprints, on_found)
        of_arms = (f"{arm.label}: {note}" for arm in found.arms for note in arm.notes)
        for note in (*scan.notes, *of_arms):
            watcher.note(note)
        draft = cls(config, scan, found, fingerprints, watcher, steps)
        return replace(draft, digests=draft._digests())

    @cached_property
    def undrawn(self) -> Manifest:
        """What is wanted, its groups not drawn yet."""
        side = self.scan.patch_px
        arms = tuple(
            ArmPlan(
                name=arm.config.name,
                label=arm.label,
                kind=arm.config.kind.value,
                n_items=0,
                chunk_items=_chunk_items(arm.config),
                item_shape=(side, side),
                dtype="complex64",
                facts=arm.facts,
            )
            for arm in self.found.arms
        )
        return Manifest(shared=self.found.shared, arms=arms, sources=self._sources())

    def drawn(self, wanted: Manifest) -> Drawn:
        """Look through models and frames, and draw the groups of *wanted*."""
        scan = self.scan
        self.watcher.note(f"planning: {scan.n_frames} positions, patches of {scan.patch_px} px")
        self._taken("check models", Texts.of, partial(self._checked_models, wanted))
        selected, frame_notes, dark_note = self._selected()
        memory.give_back()
        tables = group_tables.planned_tables(scan, wanted, selected)
        arms = []
        for arm in wanted.arms:
            if arm.name not in tables:
                arms.append(replace(arm, chunk_items=0))
                continue
            n_items = len(tables[arm.name].frames)
            chunk_items = n_items if arm.chunk_items == UNDRAWN else min(arm.chunk_items, n_items)
            digests = {entry.path: entry.sha256 for entry in tables[arm.name].tables(arm.name)}
            arms.append(
                replace(arm, n_items=n_items, chunk_items=chunk_items, index_sha256=digests)
            )
        sources = dict(wanted.sources)
        if dark_note:
            sources[DARK] = dark_note
        manifest = replace(wanted, arms=tuple(arms), sources=sources)
        return Drawn(manifest, tables, frame_notes, dark_note)

    @cached_property
    def judged(self) -> Texts:
        """Why the scan's own object, frames and positions hardly belong together."""
        return self._taken(scan_doubts.STEP, Texts.of, partial(scan_doubts.judged, self.scan))

    def tell(self, drawn: Drawn) -> None:
        """Say before any work what will make a person doubt the result after it."""
        memory.give_back()
        scan = self.scan
        has_networks = any(arm.kind is ArmKind.PREDICTOR for arm in self.config.arms)
        of_networks = drawn.frame_notes if has_networks else ()  # nothing else depends on it
        for note in chain(of_networks, inputs.shortages(self.config, scan)):
            self.watcher.note(note)
        judged = self.judged
        doubts = self._taken(
            "compare inputs with each other",
            Texts.of,
            lambda: Texts(tuple(inputs.doubts(self.config, scan, judged.texts))),
        )
        dark = filter(None, [drawn.dark_note])
        for doubt in chain(inputs.same_models(self.found), dark, doubts.texts):
            told.warn(self.watcher, doubt)

    def _selected(self) -> tuple[Reference, tuple[str, ...], str]:
        """Draw the groups of the selection, and say what is to be said of all frames.

        What is known of each frame is let go of.
        """
        looked_through = self._looked_through()
        memory.give_back()
        selected = self._taken(
            "draw groups",
            Reference.of,
            lambda: group_tables.planned_reference(looked_through, self.undrawn),
        )
        survey = looked_through.survey
        return selected, survey.notes, survey.dark_note

    def _looked_through(self) -> Scan:
        """The scan, each of its frames looked at once."""
        scan, cache = self.scan, self.fingerprints.cache
        first = partial(scan.source.read, np.zeros(1, np.int64))
        _unpacking("unpack the frames", cache and cache.parent, self.steps, first)
        found = self._taken(
            "look at all frames",
            _LookedThrough.of,
            lambda: _LookedThrough(scan.changed().survey),  # of a copy: a scan keeps its survey
        )
        return scan.changed(surveyed=found.survey)

    def _taken(self, step: str, restore: Callable[[Finding], T], do: Callable[[], T]) -> T:
        def done() -> T:
            found = do()
            if self._digests() != self.digests:  # else it would be kept under a wrong name
                raise InputError(
                    "an input changed while it was read",
                    why=f"another program wrote to {self.config.scan} or to what arms name",
                    do="run the same command again when that is done",
                )
            return found

        return done() if self.steps is None else self.steps.taken(step, self._key, restore, done)

    @cached_property
    def _key(self) -> str:
        """Name all that any of the steps depends on."""
        libraries = [np.__version__, scipy.__version__]
        wanted = self.undrawn
        return digest_of([__version__, libraries, wanted.digest, dict(wanted.sources)])

    def _digests(self) -> tuple[str, ...]:
        files = [self.config.scan, *self.scan.beside, *(arm.path for arm in self.found.arms)]
        if self.config.groups_from is not None:
            files.append(self.config.groups_from)
        if self.config.ground_truth_file is not None:
            files.append(self.config.ground_truth_file)
        return tuple(map(self.fingerprints.of, files))

    def _checked_models(self, wanted: Manifest) -> Texts:
        paths = Sources.of(wanted).arms
        # What another package's predictor reads is its own affair.
        models = [arm for arm in wanted.arms if arm.kind == ArmKind.PREDICTOR]
        own = [arm.name for arm in models if ModelFacts.of(arm).is_built_in]
        inputs.require_whole_models(paths[name] for name in own)
        return Texts(())

    def _sources(self) -> dict[str, Fact]:
        groups_from, truth = self.config.groups_from, self.config.ground_truth
        file, links = self.config.ground_truth_file, self.config.follow_links
        return Sources(
            scan=self.config.scan.resolve(),
            groups_from=groups_from.resolve() if groups_from else None,
            arms={arm.config.name: arm.path.resolve() for arm in self.found.arms},
            presentation=self.config.presentation,
            ground_truth=truth if file is None else file.resolve(),
            follow_links=links.resolve() if links else None,
            scan_files=tuple(path.resolve() for path in self.scan.beside),
        ).facts()


@dataclass(frozen=True)
class _LookedThrough:
    """What one pass over all frames found, in a form that can be kept."""

    survey: FrameSurvey

    def finding(self) -> Finding:
        facts = {"maximum": self.survey.maximum, "mean": self.survey.mean}
        return Finding(facts, {"energies": self.survey.energies})

    @classmethod
    def of(cls, found: Finding) -> _LookedThrough:
        facts = found.facts
        maximum, mean = float(facts["maximum"]), float(facts["mean"])
        return cls(FrameSurvey(found.arrays["energies"], maximum, mean))


def _unpacking(step: str, cache: Path | None, steps: Steps | None, do: Callable[[], R]) -> R:
    """Do what may unpack a compressed scan; each part of it is kept as soon as it is there."""
    if steps is None:
        return do()
    with steps.measured(step) as outcome:
        before = _unpacked(cache)
        told = PART_KEPT.set(partial(steps.part_kept, step))
        try:
            found = do()
        finally:
            PART_KEPT.reset(told)
        outcome.is_kept = _unpacked(cache) > before
    return found


def _unpacked(cache: Path | None) -> frozenset[str]:
    """Name the frames that are unpacked, as far as the disk tells."""
    if cache is not None:
        with suppress(StorageError):
            return frozenset(path.name for path in listing.matching(cache, "*.npy"))
    return frozenset()


def _chunk_items(arm: ArmConfig) -> int:
    chunk_groups = CHUNK_GROUPS if arm.chunk_groups is None else arm.chunk_groups
    return chunk_groups or UNDRAWN
