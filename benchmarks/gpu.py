"""What does ptyrun do on one GPU? Ready for a machine that has one; asked only by name.

With the reference study's networks: patches against those of the CPU, time by batch, the batch that
does not fit, the lock of the device, and the full split of the study in windows. Without a GPU the
CPU stands in, on small sizes, so that every step is tried: then no figure is of a GPU.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import stated
from benchmarks.child import told
from benchmarks.figures import Figure, Scale
from ptyrun.comparison.run import Run
from ptyrun.errors import ExitCode
from ptyrun.host.devices import list_gpus

HIDDEN = {"CUDA_VISIBLE_DEVICES": ""}
BATCHES = (16, 64, 256, 1024)
N_GROUPS = 512
FULL_GROUPS = 5216
# What upstream's own script took for this split, by the log of the study.
UPSTREAM_S = 138.0
WINDOW_S = 60.0
MOST_WINDOWS = 20
TOO_MANY = 2**20
DIFFERENCE_AIM = 1e-4
LOCKED_AIM_S = 20.0
PATIENCE_S = 600.0
PATCHES = "patches.npy"
FRAMES, WHOLE = ("diff3d", "xcoords", "ycoords"), ("objectGuess", "probeGuess")


def measure(scale: Scale) -> list[Figure]:
    """Take all of it, within about five minutes on one GPU."""
    data = scale.shared / "golden" / "hub" / "data"
    model, baseline = (
        data / "phase_e" / "dose_1000" / folder for folder in ("dense/gs2", "baseline/gs1")
    )
    scan = data / "phase_c" / "dose_1000" / "patched_train.npz"
    if not model.is_dir():
        print(f"gpu: left out, there is no reference model in {model}", file=sys.stderr)
        return []
    gpus = list_gpus()
    has_gpu = bool(gpus)
    is_small = scale.quick or not has_gpu
    where = gpus[0].model if gpus else "NO GPU: the CPU stands in"
    here = {} if has_gpu else HIDDEN
    n_groups = 32 if is_small else N_GROUPS
    batches = (16,) if is_small else BATCHES
    found = [Figure("GPUs", len(gpus), "", note=where)]
    there = {
        batch: predicted(scale.scratch / f"gpu-{batch}", model, scan, n_groups, batch, here)
        for batch in batches
    }
    predicted(scale.scratch / "cpu", model, scan, n_groups, batches[0], HIDDEN)
    patches = [np.load(scale.scratch / name / PATCHES) for name in ("cpu", f"gpu-{batches[0]}")]
    difference = float(np.abs(patches[0] - patches[1]).max())
    note = f"{n_groups} groups of the reference network, {where}"
    found.append(
        Figure(
            "largest difference of a patch from the CPU's",
            difference,
            "",
            DIFFERENCE_AIM,
            note=note,
        )
    )
    for batch, took in there.items():
        note = f"{took['mib']:.0f} MiB of main memory; loaded in {took['load_s']:.1f} s"
        found.append(Figure(f"one group, batch {batch}", 1e3 * took["group_s"], "ms", note=note))
    if has_gpu and not scale.quick:
        halved = predicted(scale.scratch / "halved", model, scan, n_groups, TOO_MANY, here)
        fits = halved["batch_items"]
        found.append(Figure(f"batch that fits, of {TOO_MANY:,}", fits, "groups"))
    found.append(locked(scale, has_gpu=has_gpu))
    found += full(scale, (model, baseline), scan, 256 if is_small else FULL_GROUPS, where)
    return found


def predicted(
    folder: Path, model: Path, scan: Path, n_groups: int, batch: int, environment: Mapping[str, str]
) -> dict[str, float]:
    """Predict groups in a process of its own, which sees the devices of *environment*."""
    folder.mkdir()
    given = json.dumps([str(folder), str(model), str(scan), n_groups, batch])
    took: dict[str, float] = told(__name__, given, environment=environment, timeout_s=PATIENCE_S)
    return took


def locked(scale: Scale, *, has_gpu: bool) -> Figure:
    """Begin a second run on the device that a first one holds: it is refused, and by whom."""
    site = scale.scratch / "site"
    stated.offer(site)
    words = {}
    for name in ("first", "second"):
        folder = scale.scratch / name
        folder.mkdir()
        pinn = stated.write_model(folder / "model", item_s=0.5, gridsize=1)
        scan = stated.write_scan(folder / "scan.npz", 64, 32, object_px=96)
        words[name] = [
            *[sys.executable, "-P", "-m", "ptyrun", "compare", f"--pinn_dir={pinn}", "--quiet"],
            *[f"--test_data={scan}", f"--output_dir={folder / 'run'}", "--window=120s"],
            *["--pinn-chunk-size=4", "--pinn-predict-batch-size=4", "--stitch_crop_size=16"],
            *([] if has_gpu else ["--lock-cpu"]),
        ]
    nowhere = subprocess.DEVNULL
    first = subprocess.Popen(words["first"], stdout=nowhere, stderr=nowhere)
    try:
        until_s = time.monotonic() + PATIENCE_S
        while not _has_committed(scale.scratch / "first" / "run"):
            assert first.poll() is None and time.monotonic() < until_s
            time.sleep(0.1)
        begun_s = time.perf_counter()
        second = subprocess.run(words["second"], capture_output=True, text=True, check=False)
        took_s = time.perf_counter() - begun_s
    finally:
        first.kill()
        first.wait()
    is_named = second.returncode == ExitCode.FAILED and str(first.pid) in second.stderr
    note = "refused, its holder named" if is_named else f"EXIT CODE {second.returncode}"
    return Figure("a second run on the same device", took_s, "s", LOCKED_AIM_S, note=note)


def _has_committed(run_dir: Path) -> bool:
    run = Run(run_dir)
    return run.paths.manifest.exists() and run.progress.chunks_committed > 0


def full(
    scale: Scale, models: tuple[Path, Path], scan: Path, n_groups: int, where: str
) -> list[Figure]:
    """Compare both networks, in turn, on a split of the study's size, in windows."""
    folder = scale.scratch / "full"
    folder.mkdir()
    words = [
        *[sys.executable, "-P", "-m", "ptyrun", "compare", "--quiet", f"--pinn_dir={models[0]}"],
        *[f"--baseline_dir={models[1]}", f"--output_dir={folder / 'run'}"],
        f"--test_data={repeated(scan, folder / 'scan.npz', n_groups)}",
        *["--pinn-chunk-size=256", "--baseline-chunk-size=256", f"--window={WINDOW_S}s"],
    ]
    code, windows, begun_s = int(ExitCode.INCOMPLETE), 0, time.perf_counter()
    while code == ExitCode.INCOMPLETE and windows < MOST_WINDOWS:
        windows += 1
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        code = done.returncode
    took_s = time.perf_counter() - begun_s
    note = f"{n_groups} positions, {windows} windows of {WINDOW_S:.0f} s, {where}"
    if code:
        note += f"; EXIT CODE {code}: {(done.stderr.strip().splitlines() or ['nothing said'])[0]}"
    aim_s = UPSTREAM_S if n_groups == FULL_GROUPS else None
    return [Figure("comparison of both networks, to the report", took_s, "s", aim_s, note=note)]


def repeated(source: Path, path: Path, n_frames: int) -> Path:
    """Write a scan of as many frames as are wanted: those of *source*, again and again."""
    with np.load(source, allow_pickle=False) as found:
        each = {name: found[name] for name in FRAMES}
        whole = {name: found[name] for name in WHOLE}
    count = len(each["xcoords"])
    chosen = np.arange(n_frames) % count
    np.savez(path, **{name: values[chosen] for name, values in each.items()}, **whole)
    return path


def child(folder: str, model_dir: str, scan_path: str, n_groups: int, batch: int) -> None:
    """Predict, save the patches, and say what it took."""
    from benchmarks.processes import peak_mib
    from ptyrun.models.files import locate
    from ptyrun.models.halving import open_halving
    from ptyrun.models.predictors import ModelRequest
    from ptyrun.ptycho.geometry import grouping
    from ptyrun.ptycho.geometry.normalisation import normalisation_factor, normalised_groups
    from ptyrun.ptycho.readers.opening import open_scan

    scan = open_scan(Path(scan_path))
    frames = grouping.draw_groups(scan.positions_px, 2)
    frames = np.resize(frames, (n_groups, frames.shape[1]))
    factor = normalisation_factor(scan.energies(), frames, scan.patch_px)
    diffraction = normalised_groups(scan, frames, factor)
    offsets = grouping.local_offsets_px(scan.positions_px[frames]).astype(np.float32)
    model = locate(Path(model_dir))
    begun_s = time.perf_counter()
    predictor = open_halving(model.backend, ModelRequest(model.path, scan.patch_px, 2, batch))
    load_s = time.perf_counter() - begun_s
    for _ in range(2):  # the second time everything is warm
        begun_s, parts = time.perf_counter(), []
        for first in range(0, n_groups, batch):
            part = slice(first, first + batch)
            parts.append(predictor.predict(diffraction[part], offsets[part]))
    took_s = time.perf_counter() - begun_s
    np.save(Path(folder) / PATCHES, np.concatenate(parts))
    told = {
        "group_s": took_s / n_groups,
        "load_s": load_s,
        "mib": peak_mib(),
        "batch_items": predictor.batch_in_memory,
    }
    predictor.close()
    print(json.dumps(told))


if __name__ == "__main__":
    child(*json.loads(sys.argv[1]))
