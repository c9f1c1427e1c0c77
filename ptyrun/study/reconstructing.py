"""How is the iterative reconstruction of one half of a view made, window by window?"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.child.fence import package
from ptyrun.engine.window import MARGIN, Window
from ptyrun.errors import InputError, UnfinishedError
from ptyrun.host import durable
from ptyrun.host.clock import boot_clock_s
from ptyrun.host.signals import Interrupts
from ptyrun.ptycho.readers.formats import Format, format_of
from ptyrun.ptycho.readers.npz import NpzFile
from ptyrun.ptycho.readers.opening import Scan, open_scan
from ptyrun.ptycho.readers.reconstruction import open_reconstruction
from ptyrun.ptycho.reconstruction.frames import FramesOfScan
from ptyrun.ptycho.reconstruction.reconstructor import (
    Found,
    ReconstructionError,
    ReconstructionRequest,
    Reconstructor,
    State,
    find,
    load,
    require_whole,
)
from ptyrun.study import foreign
from ptyrun.study.foreign import Made
from ptyrun.study.hub import PHASE_C, PHASE_F
from ptyrun.study.npz_writer import write_npz
from ptyrun.study.simulating import STAMP
from ptyrun.study.task import Task
from ptyrun.training.checkpoints import Checkpoint, Checkpoints

CHECKPOINT_S, EPOCH_S = 5.0, 1.0  # from one to the next, in the middle of an epoch and at its end
WRITING_SHARE = 0.05  # of the time, at most, goes into checkpoints


def reconstruct(task: Task) -> None:
    """Make ``ptychi_reconstruction.npz``: the object that all frames of a view's half show."""
    (source,) = task.stage.inputs
    reads = (str(source.path), *package(find(str(task.value("algorithm"))).module))
    made = foreign.made(task, "algorithm", iterate, reads)
    scan = open_scan(source.path)
    found = _found_in(made, scan)
    (output,) = task.outputs()
    y, x = scan.positions_px.T
    write_npz(
        output,
        {
            "reconstructed_object": found.object,
            "reconstructed_probe": found.probe,
            "algorithm": np.array(made.texts[0]),
            "xcoords": x,
            "ycoords": y,
            "loss": found.loss,
            "epochs": np.array(int(task.value("epochs"))),
            "seed": np.array(int(task.value("seed"))),
            "input_sha256": np.array(task.inputs[source.name]),
        },
    )
    open_reconstruction(output)  # an object of one value is none


def iterate(task: Task, _folder: Path) -> Made:
    """Let the algorithm go through all epochs; give object, probe and losses."""
    (source,) = task.stage.inputs
    request = _request(source.path, task)
    at_work = _Work(load(str(task.value("algorithm"))), request, task).done()
    found = at_work.found()
    made = Made((str(at_work.algorithm),), vars(found))
    at_work.close()
    return made


def _request(path: Path, task: Task) -> ReconstructionRequest:
    # Packed frames are unpacked there, since rows of an archive's packed member cannot be read.
    scan = open_scan(path, cache_dir=task.pieces / "frames")
    if scan.probe is None:
        raise InputError(
            f"{path} cannot be reconstructed",
            why="it holds no probe, which tells what each frame sees",
            do="give a scan file with probeGuess",
        )
    return ReconstructionRequest(
        amplitudes=FramesOfScan(scan),
        positions_px=scan.positions_px,
        probe=scan.probe,
        object_shape=_object_shape(scan),
        epochs=int(task.value("epochs")),
        seed=int(task.value("seed")),
        update_probe=bool(task.value("update_probe")),
        batch_frames=int(task.value("batch_frames")),
    )


def _found_in(made: Made, scan: Scan) -> Found:
    """Take what a process says that it found, as far as it can be."""
    arrays = {name: np.asarray(array) for name, array in made.arrays.items()}
    forms = {name: (array.dtype.kind, array.ndim) for name, array in sorted(arrays.items())}
    if forms != {"loss": ("f", 1), "object": ("c", 2), "probe": ("c", 2)} or len(made.texts) != 1:
        raise ReconstructionError(
            "the algorithm left something else than object, probe and losses",
            why=f"it left {', '.join(forms) or 'nothing'}, as {[*forms.values()]}",
            do="correct the reconstructor",
        )
    found = Found(**arrays)
    require_whole(found, _object_shape(scan))
    return found


def _object_shape(scan: Scan) -> tuple[int, int]:
    if scan.object_guess is None:
        return _shape(scan.positions_px, scan.patch_px)
    return (int(scan.object_guess.shape[0]), int(scan.object_guess.shape[1]))


def _shape(positions_px: NDArray[np.float64], patch_px: int) -> tuple[int, int]:
    """Room for every patch, where no file says how large the object is."""
    height, width = (np.ceil(positions_px.max(axis=0)) + patch_px // 2 + 1).astype(int).tolist()
    return height, width


class _Work:
    """An algorithm at work within a window, with checkpoints."""

    def __init__(
        self, kind: type[Reconstructor], request: ReconstructionRequest, task: Task
    ) -> None:
        # An algorithm of another version computes other bits: its states are not mixed with these.
        self._checkpoints = Checkpoints(task.pieces, f"{task.pieces.name} {kind.algorithm}")
        self._n_kept = 0
        self._at_work = kind.open(request, self._latest())
        self._window: Window = task.window
        self._epochs = request.epochs
        self._longest_s = self._keeping_s = 0.0
        self._kept_at_s = boot_clock_s()
        self._is_kept = True

    def done(self) -> Reconstructor:
        """Go on to the last epoch.

        Raises
        ------
        UnfinishedError
            If the window closes or a signal comes before; the state is kept then.
        """
        with Interrupts() as asked:
            return self._gone_through(asked)

    def _gone_through(self, asked: Interrupts) -> Reconstructor:
        at_work, said = self._at_work, self._at_work.epochs_done
        while at_work.epochs_done < self._epochs:
            self._require_time(asked.reason)
            began_s = boot_clock_s()
            at_work.advance()
            self._is_kept = False
            ended_s = boot_clock_s()
            self._longest_s = max(self._longest_s, ended_s - began_s)
            has_ended = at_work.epochs_done > said
            if has_ended:
                said = at_work.epochs_done
                loss = at_work.found().loss
                print(f"epoch {said} of {self._epochs}: loss {loss[-1]:.6g}", flush=True)
            least_s = max(EPOCH_S if has_ended else CHECKPOINT_S, self._keeping_s / WRITING_SHARE)
            if ended_s - self._kept_at_s >= least_s:
                self._keep()
        return at_work

    def _require_time(self, asked: str | None) -> None:
        needed_s = MARGIN * (self._longest_s + 2 * self._keeping_s)
        if asked is None and self._window.remaining_s >= needed_s:
            return
        if not self._is_kept:
            self._keep()
        raise UnfinishedError(
            f"the reconstruction is not done yet: {self._at_work.epochs_done} of {self._epochs} "
            "epochs are done",
            why=asked or "the window closed: the next step does not fit what is left of it",
            do="run the same command again",
        )

    def _latest(self) -> State | None:
        """Give the newest state that is whole, and say of others what is wrong with them."""
        for found in self._checkpoints.find():
            if isinstance(found, Checkpoint):
                self._n_kept = found.step
                return found.arrays
            print(found, flush=True)
        return None

    def _keep(self) -> None:
        began_s = boot_clock_s()
        self._n_kept += 1
        self._checkpoints.save(Checkpoint(self._n_kept, self._at_work.state()))
        self._kept_at_s, self._is_kept = boot_clock_s(), True
        self._keeping_s = max(self._keeping_s, self._kept_at_s - began_s)


def _said(path: Path) -> dict[str, Any]:
    """Which algorithm made a reconstruction, and in how many epochs, as far as its file says."""
    found = {"algorithm": open_reconstruction(path).algorithm, "num_epochs": None}
    if format_of(path, "reconstruction") is not Format.NPZ or "epochs" not in (
        file := NpzFile(path)
    ):
        return found
    epochs = file.array("epochs")
    is_number = epochs.shape == () and epochs.dtype.kind == "i"
    return {**found, "num_epochs": int(epochs) if is_number else None}


def list_reconstructions(task: Task) -> None:
    """Make ``reconstruction_manifest.json`` and ``skip_summary.json``, as upstream writes them."""
    root = Path(task.value("root"))
    jobs: list[dict[str, Any]] = [
        {
            **job,
            "input_npz": str(root / job["input_npz"]),
            "output_dir": str(root / PurePosixPath(job["output"]).parent),
            **_said(task.hub.path(job["output"])),
        }
        for job in task.value("jobs")
    ]
    for job in jobs:
        del job["output"]
    manifest, skipped = task.outputs()
    text = {
        "timestamp": STAMP.removesuffix("Z"),
        "phase_c_root": str(root / PHASE_C),
        "phase_d_root": str(root / "data/phase_d"),
        "artifact_root": str(root / PHASE_F),
        "filters": {"dose": None, "view": None, "split": None, "gridsize": None},
        "total_jobs": len(jobs),
        "filtered_jobs": len(jobs),
        "jobs": jobs,
    }
    durable.write_text(manifest, json.dumps(text, indent=2))
    none = {"timestamp": text["timestamp"], "skipped_count": 0, "skipped_jobs": []}
    durable.write_text(skipped, json.dumps(none, indent=2))
