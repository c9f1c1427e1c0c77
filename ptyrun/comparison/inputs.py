"""What is asked for, as facts? Inputs are checked here, before any work and without a framework."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint, PackageNotFoundError, version
from pathlib import Path

import psutil

from ptyrun.comparison import ground_truth
from ptyrun.comparison.assembly import grid_shape
from ptyrun.comparison.code import code_facts, code_notes
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.model_facts import BESIDE, ModelFacts
from ptyrun.comparison.roles import open_given_reconstruction, require_own_roles
from ptyrun.comparison.run import Run
from ptyrun.comparison.sources import scan_file
from ptyrun.comparison.surveys import ArmSurvey, Survey
from ptyrun.comparison.told import does_not_belong
from ptyrun.config import (
    BATCH_GROUPS,
    OWN_BACKENDS,
    ArmConfig,
    ArmKind,
    CompareConfig,
    Compression,
    Fact,
    role_gridsize,
)
from ptyrun.config.arms import ROLES
from ptyrun.engine import plan_rules
from ptyrun.errors import GeometryError, InputError, ModelError, StorageError, UsageError
from ptyrun.host import durable, partials
from ptyrun.models.archives import SafeArchive
from ptyrun.models.cards import inspect
from ptyrun.models.files import ModelFile, locate, require_trust
from ptyrun.models.kinds import ModelKind
from ptyrun.models.onnx_files import data_files
from ptyrun.models.predictors import check_options, find, how_to_mend
from ptyrun.ptycho.consistency import place_search, verdict
from ptyrun.ptycho.geometry.grouping import read_groups
from ptyrun.ptycho.geometry.placement import SMALLEST_PX, check_extent, check_span, scanned_region
from ptyrun.ptycho.readers.finished import PTYCHI, Reconstruction
from ptyrun.ptycho.readers.opening import Scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.texts import counted

_FRAMEWORK = {"tf": "tensorflow", "pytorch": "torch", "onnx": "onnxruntime"}
# How much of it is predicted at a time and at all makes no other model.
_AMOUNTS = {"batch_groups", "limit_groups"}
# By how much two sizes of one pixel may differ, where programs round.
_SAME_PIXEL = 0.02
_TAKEN = {*plan_rules.RESERVED_ARMS, "results"}  # the last one is a word of --invalidate


Found = Callable[[ArmSurvey, Scan], None]


def survey(
    config: CompareConfig,
    scan: Scan,
    fingerprints: Fingerprints,
    on_found: Found = lambda arm, scan: None,
) -> Survey:
    """Look at every input; raise by name what cannot work.

    Parameters
    ----------
    config : CompareConfig
    scan : Scan
    fingerprints : Fingerprints
    on_found : callable
        Told each network as soon as it is known to be usable, and trusted where it must be.

    Raises
    ------
    UsageError
        For anything wrong that can be known before any work.
    """
    _check_arms(config.arms)
    check_span(scan.positions_px)
    if scan.object_guess is None:
        memory_bytes = psutil.virtual_memory().total
        check_extent(scan.positions_px, grid_shape(scan), memory_bytes)
    _check_crop(config.evaluation.stitch_crop_px, scan.patch_px)
    config.presentation.require_line_on(*grid_shape(scan))
    kind = config.selection.diffraction_kind
    found = []
    for arm in config.arms:
        found.append(_survey_arm(arm, scan, fingerprints, kind))
        if arm.kind is ArmKind.PREDICTOR:
            on_found(found[-1], scan)
    arms = _distinct(found)
    require_own_roles(arms)
    gridsize = max((arm.gridsize for arm in arms), default=1)
    _check_counts(config, scan, gridsize)
    shared: dict[str, Fact] = {
        "scan_sha256": fingerprints.of(config.scan),
        "groups_sha256": fingerprints.of(config.groups_from) if config.groups_from else None,
        "selection_gridsize": gridsize,
        **config.selection.facts(),
        **config.evaluation.facts(),
        **ground_truth.facts(config, fingerprints),
        **{
            f"{scan_file(number)}_sha256": fingerprints.of(path)
            for number, path in enumerate(scan.beside)
        },
    }
    if config.compression is not Compression.NONE:
        shared["compression"] = config.compression.value
    return Survey(arms=arms, shared=shared, gridsize=gridsize)


def require_whole_models(paths: Iterable[Path]) -> None:
    """Read models that carry checksums once, before the work on the first of them.

    Raises
    ------
    ModelError
        If a member of one is damaged.
    """
    for path in paths:
        # State dicts of older PyTorch are no archives; what should be one is told by its reader.
        if path.is_file() and zipfile.is_zipfile(path):
            with SafeArchive(path, path.name) as archive:
                archive.require_whole()


def doubts(config: CompareConfig, scan: Scan, of_scan: Iterable[str]) -> Iterator[str]:
    """Say what fits together by its shape but hardly by its content, besides *of_scan*.

    Raises
    ------
    GeometryError
        If the positions lie outside the object, or hardly reach into the ground truth.
    """
    networks = [arm.name for arm in config.arms if arm.kind is ArmKind.PREDICTOR]
    if scan.near_field and networks:
        yield (
            f"{scan.path} was measured in the near field: what {' and '.join(networks)} predict "
            "means nothing unless they were trained for it"
        )
    for doubt in (*scan.doubts, *of_scan):
        yield f"{scan.path}: {doubt}"
    shape = grid_shape(scan)
    region = scanned_region(scan.positions_px, config.evaluation.stitch_crop_px, shape)
    if scan.object_guess is not None and min(region.height, region.width) < SMALLEST_PX:
        raise GeometryError(
            f"only {region.height} x {region.width} px of the {scan.object_role} were scanned",
            why=f"it is {shape[0]} x {shape[1]} px; at least {SMALLEST_PX} px a side are needed",
            do="check that positions are in pixels of objectGuess, or leave it out of the scan",
        )
    for arm in config.arms:
        if arm.kind is ArmKind.RECONSTRUCTION:
            found = open_reconstruction(arm.path)
            yield from _other_pixels(scan, found)
            placement = place_search.place(scan, shape, found)
            coherence = verdict.coherence_with_reference(placement, scan.object_guess, region)
            reason = verdict.why_inconsistent(placement, region, coherence, scan.object_role)
            if reason is not None:
                yield does_not_belong(arm.path, reason)


def _other_pixels(scan: Scan, found: Reconstruction) -> Iterator[str]:
    """Say so where pixels of a reconstruction are of another size than those of the scan's object.

    Sizes are metres a side; what has none, or none that is known, is not compared.
    """
    ours_m, theirs_m = scan.pixel_size_m, found.pixel_size_m
    if ours_m and theirs_m and abs(theirs_m / ours_m - 1) > _SAME_PIXEL:
        yield (
            f"{found.path} has pixels of {theirs_m:.4g} m, the scan's object of {ours_m:.4g} m: "
            "pixels are compared one to one; was it made from cropped or binned frames?"
        )


def shortages(config: CompareConfig, scan: Scan) -> Iterator[str]:
    """Say where more was asked for than there is: then all of it is taken.

    Raises
    ------
    InputError
        If the groups to be repeated cannot be read.
    """
    selection = config.selection
    positions = scan.n_frames
    if selection.n_subsample is not None:
        if selection.n_subsample > positions:
            yield f"{selection.n_subsample} images were asked for; there are {positions}"
        positions = min(selection.n_subsample, positions)
    if selection.n_groups is not None:
        given = config.groups_from
        groups = positions if given is None else len(read_groups(given, scan.n_frames))
        if selection.n_groups > groups:
            there = "is" if groups == 1 else "are"
            yield f"{counted(selection.n_groups, 'group')} asked for; there {there} {groups}"


def same_models(found: Survey) -> Iterator[str]:
    """Say which arms predict the same, whatever their names: one of them was likely meant else."""
    names: dict[tuple[tuple[str, Fact], ...], list[str]] = {}
    for arm in found.arms:
        if arm.config.kind is ArmKind.PREDICTOR:
            model = tuple(item for item in arm.facts.items() if item[0] not in _AMOUNTS)
            names.setdefault(model, []).append(arm.config.name)
    for same in names.values():
        if len(same) > 1:
            yield (
                f"the arms {' and '.join(same)} are the same model: equal weights, gridsize and "
                "options; was another file meant?"
            )


def check_output_folder(folder: Path, what: str = "the run's folder") -> None:
    """Make a folder and see that it can be written.

    Raises
    ------
    StorageError
        If it cannot; the error says why.
    """
    _refuse_other_than_folder(folder, what)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = partials.name(Run(folder).paths.manifest)  # swept like any other, if it stays
        try:
            probe.write_bytes(b"\0" * 4096)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise OutputFolderError(
            f"{what} {folder} cannot be written",
            why=(refused := durable.explanation(error)).why,
            do=f"choose another folder, or {refused.do}",
        ) from error


def _refuse_other_than_folder(folder: Path, what: str) -> None:
    if folder.is_dir() or not os.path.lexists(folder):
        return
    why = "a file of that name is there"
    if folder.is_symlink():
        fault = "a file" if folder.exists() else "not there"
        why = f"it is a link to {folder.readlink()}, which is {fault}"
    raise OutputFolderError(
        f"{what} {folder} is not a folder", why=why, do="choose another, or remove what is there"
    )


class OutputFolderError(StorageError):
    """A folder for results cannot be written; found before any work."""

    exit_code = UsageError.exit_code


def _check_arms(arms: tuple[ArmConfig, ...]) -> None:
    names = [arm.name for arm in arms]
    for name in names:
        if not plan_rules.is_arm_name(name) or name in _TAKEN:
            raise UsageError(
                f"an arm cannot be called {name!r}",
                why="it names a folder: a letter, then letters, digits, - and _; "
                f"{', '.join(sorted(_TAKEN))} are reserved",
                do="choose another name",
            )
        if names.count(name) > 1:
            raise UsageError(
                f"two arms are called {name!r}",
                why="an arm's name is its folder",
                do="give each arm a name of its own",
            )


def _check_crop(crop_px: int, patch_px: int) -> None:
    if crop_px % 2 or not 0 < crop_px <= patch_px:
        raise GeometryError(
            f"--stitch-crop-size {crop_px} cannot be used",
            why=f"the crop must be even and within 2..{patch_px}, the size of a patch",
            do="choose an even crop no larger than the patch, e.g. 20",
        )


def _check_counts(config: CompareConfig, scan: Scan, gridsize: int) -> None:
    available = config.selection.n_subsample or scan.n_frames
    members = gridsize**2
    needed = members + 1 if gridsize > 1 else 1
    if available < needed:
        raise GeometryError(
            f"{available} positions are too few",
            why=f"a gridsize-{gridsize} group takes {members} neighbours of a position",
            do=f"give a scan (or subsample) of at least {needed} positions",
        )
    if gridsize > 1 and config.selection.neighbor_count < members:
        raise GeometryError(
            f"--neighbor-count {config.selection.neighbor_count} is too small",
            why=f"a gridsize-{gridsize} group draws {members} members from the nearest neighbours",
            do=f"use at least {members}",
        )


def _label(arm: ArmConfig, found: Reconstruction) -> str:
    """Call an arm as its file does; one of which the file says nothing, as its user does."""
    is_unnamed = found.algorithm is None and found.label == PTYCHI
    return arm.name if is_unnamed and arm.name not in ROLES else found.label


def _distinct(arms: Sequence[ArmSurvey]) -> tuple[ArmSurvey, ...]:
    """Two arms of one label could not be told apart in any table: those of ``--arm`` add names."""
    found: dict[str, ArmSurvey] = {}
    often = Counter(arm.label for arm in arms)
    for arm in arms:
        is_named = arm.label in found or (often[arm.label] > 1 and arm.config.name not in ROLES)
        label = f"{arm.label} ({arm.config.name})" if is_named else arm.label
        if not plan_rules.is_label(label):
            raise UsageError(
                f"the label of arm {arm.config.name!r} cannot be used: {label!r:.80}",
                why="it is shown in tables and on terminals: at most "
                f"{plan_rules.MAX_LABEL} characters, none of them a control character",
                do="give the arm a plain label",
            )
        found[label] = replace(arm, label=label)
    return tuple(found.values())


def _survey_arm(
    arm: ArmConfig, scan: Scan, fingerprints: Fingerprints, diffraction_kind: str | None
) -> ArmSurvey:
    if arm.kind is ArmKind.RECONSTRUCTION:
        found = open_given_reconstruction(arm, diffraction_kind)
        label = arm.label or _label(arm, found)
        return ArmSurvey(
            config=arm,
            label=label,
            path=arm.path,
            gridsize=1,
            facts={"reconstruction_sha256": fingerprints.of(arm.path)},
            notes=found.notes_as(label),
        )
    return _survey_model(arm, scan, fingerprints)


def _survey_model(arm: ArmConfig, scan: Scan, fingerprints: Fingerprints) -> ArmSurvey:
    model = locate(arm.path)
    if arm.backend is not None and arm.backend != model.backend:
        own = arm.backend in OWN_BACKENDS
        kind, path = (model.kind, model.path) if own else (ModelKind.OTHER, arm.path)
        model = ModelFile(path, arm.backend, kind)
    point = find(model.backend)
    check_options(model, arm.options)
    require_trust(model, arm.trusted, arm.name)
    card = inspect(model)
    gridsize = arm.gridsize or card.gridsize or role_gridsize(arm.name)
    if card.patch_px is not None and card.patch_px != scan.patch_px:
        raise ModelError(
            f"the model of arm {arm.name!r} is for patches of {card.patch_px} px",
            why=f"the scan's diffraction is {scan.patch_px} x {scan.patch_px}",
            do="give the model that was trained for this scan's size",
        )
    if card.gridsize is not None and card.gridsize != gridsize:
        raise ModelError(
            f"the model of arm {arm.name!r} takes {card.gridsize**2} channels",
            why=f"gridsize {gridsize} was asked for, that is {gridsize**2} channels",
            do=f"leave out gridsize, or give gridsize={card.gridsize}",
        )
    said = ModelFacts(
        weights_sha256=fingerprints.of(model.path),
        backend=model.backend,
        framework=_framework(point),
        gridsize=gridsize,
        batch_groups=arm.batch_groups or BATCH_GROUPS,
        limit_groups=arm.limit_groups,
        options=arm.options,
    )
    beside = {
        BESIDE + name: fingerprints.of(model.path.parent / name) for name in data_files(model)
    }
    facts = {**said.facts(), **beside, **code_facts(point, arm.options, fingerprints)}
    notes = (*card.notes, *code_notes(facts))
    return ArmSurvey(arm, arm.label, model.path, gridsize, facts, notes)


def _framework(point: EntryPoint) -> str:
    name = _FRAMEWORK.get(point.name)
    if name is None:
        return f"{point.dist.name} {point.dist.version}" if point.dist else point.name
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError as error:
        raise InputError(
            f"backend {point.name!r} needs {name}, which is not installed",
            why=str(error),
            do=how_to_mend(point),
        ) from error
