"""A small finished run, written through the documents, ledger and store that real runs use.

For what a real run does not show at will: failures, killed sessions, a mismatch, hostile labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from ptyrun.comparison import ring_curves
from ptyrun.comparison.ring_curves import RingCurve
from ptyrun.config import EvaluationOptions, Fact, Presentation, Selection
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.records import ArmOpened, Closed, Committed, Failed, Record, Started
from ptyrun.engine.session_ledger import begin
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from ptyrun.resolutions import bounds
from ptyrun.results import ArmResult, Metric, OwnRegion, PairResult, Results
from tests.engine.toys import just_begun

SHAPE = (120, 104)
LABELS = {"pinn": "PtychoPINN", "baseline": "Baseline", "reconstruction": "PtyChi"}


def truth() -> NDArray[np.complex64]:
    """Discs and bars of different absorption and phase."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    amplitude, phase = np.ones(SHAPE), 0.3 * np.sin(x / 13) * np.cos(y / 17)
    for cy, cx, radius, absorbed, turn in ((35, 30, 16, 0.4, 0.9), (80, 70, 24, 0.2, -0.7)):
        inside = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
        amplitude[inside] -= absorbed
        phase[inside] += turn
    amplitude[(x // 6 % 2 == 0) & (y > 90)] *= 0.7
    return (amplitude * np.exp(1j * phase)).astype(np.complex64)


def manifest(labels: Mapping[str, str], pixel_size_m: float | None) -> Manifest:
    """Two predictors of 40 groups in chunks of 8, and a reconstruction."""
    sizes: dict[str, Fact] = {"gridsize": 2, "batch_groups": 8}
    facts = {"backend": "tf", "weights_sha256": "ab" * 32, **sizes}
    arms = [
        ArmPlan(name, label, "predictor", 40, 8, (32, 32), "complex64", facts)
        for name, label in labels.items()
        if name != "reconstruction"
    ]
    if "reconstruction" in labels:
        known = {"reconstruction_sha256": "cd" * 32}
        label = labels["reconstruction"]
        arms.append(
            ArmPlan("reconstruction", label, "reconstruction", 0, 0, (32, 32), "complex64", known)
        )
    sources = {
        "scan": "scans/patched_test.npz",
        **{f"arm.{name}": f"models/{name}" for name in labels},
        **Presentation(pixel_size_m=pixel_size_m).facts(),
    }
    shared = {
        "scan_sha256": "ef" * 32,
        **Selection(n_groups=40).facts(),
        **EvaluationOptions().facts(),
    }
    return Manifest(shared, tuple(arms), sources)


def write(
    folder: Path,
    labels: Mapping[str, str] = LABELS,
    *,
    has_truth: bool = True,
    mismatch: str | None = None,
    notes: Sequence[str] = (),
    pixel_size_m: float | None = None,
    n_sessions: int = 3,
) -> RunPaths:
    """Write a finished run into *folder*."""
    paths = RunPaths(folder)
    folder.mkdir(parents=True)
    planned = manifest(labels, pixel_size_m)
    planned.save(paths.manifest)
    if n_sessions:
        write_ledger(paths, planned, n_sessions)
    write_objects(paths, planned, has_truth)
    ring_curves.write(paths.ring_curves, curves(planned, has_truth))
    unit = 1e9 * (pixel_size_m or 1e-9)
    results = Results(
        manifest_digest=planned.digest,
        has_ground_truth=has_truth,
        evaluated_region_px=(10, 8, 100, 88),
        arms={
            arm.name: replace(
                arm_result(arm, n, has_truth, mismatch if arm.n_items == 0 else None),
                half_period={"frc50": Metric(value=unit / (0.6 if n else 1.0))},
            )
            for n, arm in enumerate(planned.arms)
        },
        pairs=()
        if has_truth
        else (
            PairResult("pinn", "baseline", {"frc50": Metric(0.4, 0.3)}, ("a small overlap",)),
            PairResult("pinn", "reconstruction", {"frc50": Metric(0.6, 0.2)}),
        ),
        sources={
            "mae": "mean |a - b|",
            "frc50": "van Heel & Schatz, doi:10.1016/j.jsb.2005.05.009",
        },
        notes=tuple(notes),
        pixel_size_m=pixel_size_m,
    )
    paths.results.write_text(results.to_json())
    checksums.write(folder, [paths.results, paths.objects, *folder.glob("*.csv")])
    return paths


def curves(planned: Manifest, has_truth: bool) -> Iterator[RingCurve]:
    """Correlations that fall, the later the arm the sooner; the last ones below zero."""
    frequencies = np.arange(45) / 44
    n_pixels = np.maximum(1, np.rint(2 * np.pi * np.arange(45))).astype(np.int64)
    pairs = [("pinn", "baseline"), ("pinn", "reconstruction")]
    if has_truth:
        pairs = [(arm.name, ring_curves.REFERENCE) for arm in planned.arms]
    for n, (first, second) in enumerate(pairs):
        for quantity in ring_curves.QUANTITIES:
            y = 1 / (1 + (frequencies / (0.7 - 0.2 * n)) ** 4) - 0.3 * n * frequencies
            yield RingCurve(first, second, quantity, frequencies, y, n_pixels)


def arm_result(arm: ArmPlan, n: int, has_truth: bool, mismatch: str | None) -> ArmResult:
    metrics = {
        "mae": Metric(0.02 + 0.1 * n, 0.05 + 0.1 * n),
        "psnr": Metric(74.8 - 8 * n, 66.4 - 5 * n),
        "frc50": Metric(83.2 - 30 * n, None),
        "registration_offset_dy": Metric(value=-4.98),
    }
    standard = {
        "mae": Metric(0.02 + 0.1 * n, 0.05),
        "complex_error": Metric(value=0.1 + 0.1 * n),
        "frc50": Metric(0.7, 0.6, 0.6) if n else Metric(0.8, 1.0, 1.0),
    }
    return ArmResult(
        label=arm.label,
        kind=arm.kind,
        n_groups=arm.n_items,
        metrics=metrics if has_truth else {},
        standard=standard if has_truth else {},
        diagnostics={"mean": 0.81, "max": 1.2} if arm.n_items else {},
        mismatch=mismatch,
        notes=("the probe was not used",) if n == 1 else (),
        computation_time_s=4.2,
        own=OwnRegion(1 - 0.02 * n, standard=standard, at_least=bounds(standard))
        if has_truth
        else None,
        at_least=bounds(standard) if has_truth else (),
    )


def write_objects(paths: RunPaths, planned: Manifest, has_truth: bool) -> None:
    """Every arm is the truth, worse from arm to arm, and does not cover the border."""
    rng = np.random.default_rng(0)
    known = truth()
    group = zarr.create_group(paths.objects)
    inner = (slice(10, 110), slice(8, 96))
    for n, arm in enumerate(planned.arms):
        noise = rng.normal(size=(2, *SHAPE)) * 0.03 * (1 + 3 * n)
        field = (known + noise[0] + 1j * noise[1]).astype(np.complex64)
        coverage = np.zeros(SHAPE)
        coverage[6:114, 4:100] = 3.0
        coverage[6:20, 80:100] = 0.0
        group.create_array(f"{arm.name}/object", data=np.where(coverage > 0, field, 0))
        group.create_array(f"{arm.name}/coverage", data=coverage)
        group.create_array(f"{arm.name}/aligned", data=field[inner])
        if has_truth:
            group.create_array(f"{arm.name}/aligned_truth", data=known[inner])
            rings = np.arange(62)
            curve = 1 / (1 + (rings / (40 - 12 * n)) ** 4)
            rows = [
                f"{arm.label},{r},{c:.6f},{c**2:.6f}" for r, c in zip(rings, curve, strict=True)
            ]
            text = "\n".join(["model,frequency_bin,amplitude_frc,phase_frc", *rows])
            paths.frc_curves(arm.name).write_text(text + "\n")
    if has_truth:
        group.create_array("ground_truth/object", data=known)
    y, x = np.mgrid[-16:16, -16:16]
    probe = np.exp(-(y**2 + x**2) / 60 + 0.2j * x).astype(np.complex64)
    group.create_array("ground_truth/probe", data=probe)


def write_ledger(paths: RunPaths, planned: Manifest, n_sessions: int) -> None:
    """Sessions that share the chunks; the first fails once, the second is killed in a chunk."""
    predictors = [arm for arm in planned.arms if arm.n_items]
    todo = [(arm, chunk) for arm in predictors for chunk in range(arm.n_chunks)]
    per_session = -(-len(todo) // n_sessions)
    for number in range(n_sessions):
        session = begin(open_ledger(paths, planned), 20.0, just_begun(), "0.1.0")
        records: list[Record] = []
        clock_s, seen = 2.0, set()
        for arm, chunk in todo[number * per_session : (number + 1) * per_session]:
            if arm.name not in seen:
                seen.add(arm.name)
                records.append(ArmOpened(arm.name, 1.1))
                clock_s += 1.1
            records.append(Started(arm.name, chunk, 0, clock_s))
            if number == 0 and chunk == 1:
                clock_s += 0.7
                records.append(
                    Failed(arm.name, chunk, 1, "ValueError: <bad>", "Traceback", clock_s)
                )
                records.append(Started(arm.name, chunk, 0, clock_s))
            clock_s += 1.5 + 0.1 * chunk
            records.append(committed(arm, chunk, clock_s))
        if number == 1:
            records.append(Started(predictors[-1].name, 4, 0, clock_s))
        session.append(records)
        if number == 1:
            session.abandon()
        else:
            done = number == n_sessions - 1
            reason = "complete" if done else "the window closed"
            session.close(Closed(0 if done else 75, reason, per_session, clock_s + 0.4))


def committed(arm: ArmPlan, chunk: int, at_s: float) -> Committed:
    return Committed(
        arm=arm.name,
        chunk=chunk,
        key=f"{arm.name}/patches/c.{chunk}.0.0",
        length=8 * 32 * 32 * 8,
        crc32c="00000000",
        fingerprint=arm.fingerprint,
        attempt=1,
        seconds=1.5 + 0.1 * chunk,
        write_s=0.01,
        warm=chunk > 0,
        at_s=at_s,
    )
