"""What do the chunks that are committed so far look like? Reads only; never disturbs a writer."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison import artifacts, publishing
from ptyrun.comparison.absent_scan import scan_or_tables
from ptyrun.comparison.assembly import committed_patches, compared_region, grid_shape, tables_of
from ptyrun.comparison.command_line import compare_command
from ptyrun.comparison.counts import Counts
from ptyrun.comparison.ground_truth import noise_of
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.history import read_history
from ptyrun.comparison.live_page import Reload, live_page, standing
from ptyrun.comparison.partial_scene import PartialArm, covered_region, partial_scene
from ptyrun.comparison.pictures import reference_label
from ptyrun.comparison.planned_inputs import warn_of_changed_inputs
from ptyrun.comparison.run import Run
from ptyrun.comparison.sources import Sources
from ptyrun.config import ArmKind, EvaluationOptions
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.integrity import size_damages
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.progress import ArmProgress
from ptyrun.errors import GeometryError, PtyrunError
from ptyrun.host import checksums, durable
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher
from ptyrun.ptycho.consistency import place_search, verdict
from ptyrun.ptycho.geometry.placement import Region
from ptyrun.ptycho.geometry.stitching import Stitcher
from ptyrun.ptycho.metrics.evaluation import Evaluation, evaluate
from ptyrun.ptycho.metrics.standard_metrics import SOURCES
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.report import page, partial
from ptyrun.results import OF_HALVES, ArmResult, Results
from ptyrun.texts import counted

WITHOUT_TRUTH = "compared with the other arms by finalize: there is no ground truth"

Image = NDArray[np.complex64]
Coverage = NDArray[np.float64]


@dataclass(frozen=True)
class ArmPreview(Counts):
    """One arm as far as it is."""

    label: str
    covered_px: int = 0
    picture: Path | None = None
    result: ArmResult | None = field(default=None, repr=False)

    @property
    def progress(self) -> str:
        """How far, in words."""
        if not self.chunks_total:
            return "finished reconstruction"
        if not self.chunks_committed:
            return f"nothing committed yet of {counted(self.groups_total, 'group')}"
        percent = 100 * self.groups_committed / self.groups_total
        return f"{self.groups_committed} of {counted(self.groups_total, 'group')} ({percent:.0f} %)"


@dataclass(frozen=True)
class PreviewFiles:
    """What was written; pictures only of arms of which something is committed."""

    SCHEMA: ClassVar[int] = 1

    json: Path
    arms: Mapping[str, ArmPreview] = field(default_factory=dict)

    @property
    def is_partial(self) -> bool:
        """Whether chunks of any arm are missing."""
        return any(arm.is_partial for arm in self.arms.values())

    @property
    def page(self) -> Path:
        """The page that shows all of it."""
        return self.json.with_name("index.html")

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Every picture that was drawn."""
        return tuple(arm.picture for arm in self.arms.values() if arm.picture is not None)

    @property
    def message(self) -> str:
        """What there is to see, one line for each arm."""
        head = "PARTIAL: chunks are missing" if self.is_partial else "every chunk is committed"
        lines = [f"  {arm.label}: {arm.progress}" for arm in self.arms.values()]
        said = [
            f"  {arm.label}: {text}"
            for arm in self.arms.values()
            if arm.result is not None
            for text in (arm.result.mismatch, *arm.result.notes)
            if text
        ]
        return "\n".join([head, *lines, *said])

    def let_stand(self, reload: Reload) -> None:
        """Let the page load itself no longer: who wrote it again and again is leaving."""
        text = self.page.read_text(encoding="utf-8")
        durable.write_text(self.page, standing(text, reload))
        checksums.write(self.page.parent, (self.json, self.page, *self.pictures))


def preview(
    run_dir: Path,
    *,
    output: Path | None = None,
    reload: Reload | None = None,
    watcher: Watcher = SILENT,
) -> PreviewFiles:
    """Stitch what is committed, draw it and measure it where it covers the object.

    Parameters
    ----------
    run_dir : Path
        A planned run, at work or not. Nothing in it is written but ``preview/``, at once, and a
        lock in ``claims/``.
    output : Path, optional
        Another folder to write to; the run's is then only read.
    reload : Reload, optional
        How the page is kept up to date, by who calls this again and again.

    Returns
    -------
    PreviewFiles
        ``preview/index.html``, ``preview/preview.json`` and ``preview/<arm>.png``.

    Raises
    ------
    UsageError
        If *output* lies in the run's folder.
    InputError
        If there is no planned run, or its scan is gone and no arm has groups to be laid without it.
    DamageError
        If the ledger cannot be trusted.
    """
    desk = _PreviewContext.open(run_dir, output, watcher)
    paths = desk.paths
    if output is not None:
        artifacts.require_outside(paths, output)
        durable.make_folder(output)
        return _write(desk, output, reload)
    with publishing.elsewhere(paths.preview), publishing.alone(paths, watcher, name="preview"):
        publication = publishing.preview(paths)
        fresh = publication.begin()
        files = _write(desk, fresh, reload)
        publication.publish(fresh)
    return files


def _write(desk: _PreviewContext, fresh: Path, reload: Reload | None) -> PreviewFiles:
    looks = {arm.name: desk.look_at(arm, fresh) for arm in desk.manifest.arms}
    arms = {name: seen for name, (seen, _) in looks.items()}
    files = PreviewFiles(desk.folder / "preview.json", arms)
    document, page_file = fresh / files.json.name, fresh / files.page.name
    results = _results(desk, files)
    durable.write_atomic(document, _document(results, files).encode())
    scene = partial_scene(
        [shown for _, shown in looks.values() if shown is not None],
        desk.scan.object_guess,
        reference_label(results),
    )
    shown = live_page(
        f"{desk.sources.scan.stem}: {', '.join(arm.label for arm in arms.values())}",
        {arm.label: arm.progress for arm in arms.values()},
        scene,
        results,
        read_history(desk.paths, desk.manifest),
        {arm.name: arm.label for arm in desk.manifest.arms if arm.n_chunks},
        is_partial=files.is_partial,
        command=compare_command(desk.manifest, desk.paths.root.resolve()),
        pixel_size_m=desk.sources.presentation.pixel_size_m,
        reload=reload and reload.as_of(is_partial=files.is_partial),
    )
    durable.write_text(page_file, page.html(shown))
    drawn = (fresh / picture.name for picture in files.pictures)
    checksums.write(fresh, (document, page_file, *drawn))
    return files


@dataclass(frozen=True)
class _PreviewContext:
    """What is needed to look at an arm."""

    paths: RunPaths
    folder: Path
    manifest: Manifest
    sources: Sources
    progress: Mapping[str, ArmProgress]
    scan: Scan
    indexes: Mapping[str, ArmIndex]
    options: EvaluationOptions
    region: Region
    watcher: Watcher
    changed: tuple[str, ...] = ()

    @classmethod
    def open(cls, run_dir: Path, output: Path | None, watcher: Watcher) -> _PreviewContext:
        run = Run(run_dir)
        paths, manifest, progress = run.paths, run.manifest, run.progress.arms
        changed = warn_of_changed_inputs(manifest, paths, watcher)
        scan = scan_or_tables(run, watcher)
        options = EvaluationOptions.from_facts(manifest.shared)
        indexes = tables_of(paths, manifest)
        region = compared_region(indexes, scan, options)
        return cls(
            paths, output or paths.preview, manifest, run.sources, progress, scan, indexes, options,
            region, watcher, tuple(changed),
        )  # fmt: skip

    def look_at(self, arm: ArmPlan, folder: Path) -> tuple[ArmPreview, PartialArm | None]:
        """Draw *arm* into *folder*, from which the picture is moved into its place."""
        done, lost = _readable(self.paths, self.progress[arm.name])
        seen = ArmPreview(**vars(Counts.of([done])), label=arm.label)
        picture = self.folder / f"{arm.name}.png"
        notes = _lost_notes(lost)
        if seen.chunks_total and not seen.chunks_committed:
            return replace(seen, result=_result(arm, seen, notes)), None
        try:
            placement = self._placement(arm)
            image, coverage = (
                self._stitched(arm, done)
                if placement is None
                else (placement.image, placement.coverage)
            )
        except (PtyrunError, ValueError, OSError) as error:
            notes = (*notes, f"cannot be shown: {error}")
            return replace(seen, result=_result(arm, seen, notes)), None
        shown = PartialArm(arm.name, arm.label, image, coverage > 0, decides=arm.n_items > 0)
        durable.write_atomic(folder / picture.name, self._drawn(shown, seen, coverage))
        looked_at = replace(
            seen,
            covered_px=int(np.count_nonzero(coverage)),
            picture=picture,
            result=replace(
                self._measured(arm, seen, image, coverage, notes),
                mismatch=self._mismatch(placement) if placement else None,
            ),
        )
        return looked_at, shown

    def _drawn(self, shown: PartialArm, seen: ArmPreview, coverage: Coverage) -> bytes:
        """Draw an arm, cut to what is covered, above the reference."""
        truth = self.scan.object_guess
        region = covered_region([shown]) or Region(0, 0, *coverage.shape)
        if not shown.decides:
            region = self.region.overlap(region)
        scene = partial_scene([shown], truth, "reference", region)
        title, cut = f"{shown.label}: {seen.progress}", coverage[region.slices]
        pixel_size_m = self.sources.presentation.pixel_size_m
        return partial.draw(partial.Look(title, seen.is_partial, scene, cut, pixel_size_m))

    def _placement(self, arm: ArmPlan) -> place_search.Placement | None:
        if arm.kind != ArmKind.RECONSTRUCTION:
            return None
        found = open_reconstruction(self.sources.arms[arm.name])
        return place_search.place(self.scan, grid_shape(self.scan), found)

    def _mismatch(self, placement: place_search.Placement) -> str | None:
        coherence = verdict.coherence_with_reference(placement, self.scan.object_guess, self.region)
        return verdict.why_inconsistent(placement, self.region, coherence, self.scan.object_role)

    def _region(self, seen: ArmPreview, coverage: Coverage) -> Region:
        """What ``finalize`` will measure, as far as the patches of a partial arm reach."""
        return self.region.overlap(_bounds(coverage)) if seen.is_partial else self.region

    def _stitched(self, arm: ArmPlan, done: ArmProgress) -> tuple[Image, Coverage]:
        shape = grid_shape(self.scan)
        index = self.indexes[arm.name]
        stitcher = Stitcher(shape, self.options.stitch_crop_px)
        task = f"stitch {arm.label}"
        self.watcher.begin(task, total=done.items_committed)
        for groups, patches in committed_patches(self.paths, arm, done):
            part = slice(groups.start, groups.stop)
            stitcher.add(patches, index.centres_px[part], index.multiplicity[part])
            self.watcher.advance(task, len(groups))
        self.watcher.end(task)
        return stitcher.result()

    def _measured(
        self,
        arm: ArmPlan,
        seen: ArmPreview,
        image: Image,
        coverage: Coverage,
        notes: tuple[str, ...],
    ) -> ArmResult:
        if self.scan.object_guess is None:
            alone = len(self.manifest.arms) == 1
            why = "nothing to measure against" if alone else WITHOUT_TRUTH
            return _result(arm, seen, (*notes, why))
        try:
            found = evaluate(
                image,
                self.scan.object_guess,
                coverage,
                self.options,
                region=self._region(seen, coverage),
                registered=self.options.registration.reaches(arm.kind),
                noise=noise_of(self.scan),
            )
        except GeometryError as error:
            return _result(arm, seen, (*notes, f"too little to measure: {error.why}"))
        return _result(arm, seen, notes, found)


def _readable(paths: RunPaths, progress: ArmProgress) -> tuple[ArmProgress, list[int]]:
    """Progress without the committed chunks whose files are gone or have another size."""
    lost = [damage.chunk for damage in size_damages(paths, progress) if damage.chunk is not None]
    done = copy.copy(progress)
    committed = bytearray(progress.committed)
    for chunk in lost:
        committed[chunk] = 0
    done.committed = committed
    return done, lost


def _lost_notes(lost: list[int]) -> tuple[str, ...]:
    if not lost:
        return ()
    named = ", ".join(map(str, lost[:8])) + (", …" if len(lost) > 8 else "")
    return (f"committed but missing or truncated: chunks {named}; run `ptyrun verify`",)


def _bounds(coverage: Coverage) -> Region:
    rows, columns = np.nonzero(coverage)
    top, left = int(rows.min()), int(columns.min())
    return Region(top, left, int(rows.max()) + 1 - top, int(columns.max()) + 1 - left)


def _result(
    arm: ArmPlan, seen: ArmPreview, notes: tuple[str, ...], found: Evaluation | None = None
) -> ArmResult:
    return ArmResult(
        label=arm.label,
        kind=arm.kind,
        n_groups=seen.groups_committed,
        metrics=found.metrics if found else {},
        standard=found.standard if found else {},
        notes=(*notes, *(found.notes if found else ())),
        frc_thresholds=found.noise if found else OF_HALVES,
        undefined=found.undefined if found else {},
    )


def _results(desk: _PreviewContext, files: PreviewFiles) -> Results:
    return Results(
        manifest_digest=desk.manifest.digest,
        has_ground_truth=desk.scan.has_ground_truth,
        has_reference=desk.scan.has_reference,
        evaluated_region_px=desk.region.as_tuple(),
        arms={name: arm.result for name, arm in files.arms.items() if arm.result is not None},
        sources=SOURCES,
        notes=(
            "a preview of what is covered so far: not a result of the run",
            *desk.changed,
        ),
    )


def _document(results: Results, files: PreviewFiles) -> str:
    """``preview.json``: the fields of ``results.json``, and beside them how far each arm is."""
    document: dict[str, Any] = json.loads(results.to_json())
    document["schema"] = PreviewFiles.SCHEMA
    document["partial"] = files.is_partial
    for name, arm in files.arms.items():
        document["arms"][name] |= {
            "partial": arm.is_partial,
            **{entry.name: getattr(arm, entry.name) for entry in fields(Counts)},
            "covered_px": arm.covered_px,
            "picture": arm.picture.name if arm.picture else None,
        }
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"
