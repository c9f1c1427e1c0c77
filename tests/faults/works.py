"""What is done on the faulty disk, and what must have come of it in the end?"""

from __future__ import annotations

import shutil
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

from ptyrun.engine.index_arrays import write_index
from ptyrun.engine.integrity import verify
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.store import create_arrays
from ptyrun.errors import ExitCode, PtyrunError
from ptyrun.host.durable import explanation
from ptyrun.paths import RunPaths
from tests.engine.toys import decoded, expected, frames, planned, toy_manifest, toy_run
from tests.scans import scan_arrays, small_object
from tests.studies import content

TOY = toy_manifest(24, 4, {"one": 1.0, "two": 2.0})


@dataclass(frozen=True)
class Work:
    """One command on a run, with what comes before it and what completes the run after it.

    ``begin`` lays the folder out, ``act`` meets the fault and returns an exit code, ``go_on`` does
    a part of what is left and ``complete`` all of it; ``result`` is then compared with that of a
    run that met no fault. One that does not *finish* leaves work to the next command.
    """

    begin: Callable[[Path], object]
    act: Callable[[Path], int]
    go_on: Callable[[Path], int]
    complete: Callable[[Path], int]
    result: Callable[[Path], Any]
    finishes: bool = True
    reads_hints: bool = False  # it looks at them for their own sake


def explained(act: Callable[[], int]) -> int:
    """Exit code and words as the command line gives them."""
    try:
        return act()
    except PtyrunError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    except OSError as error:
        print(f"error: {explanation(error)}", file=sys.stderr)
        return int(ExitCode.FAILED)
    except BaseException:
        traceback.print_exc()
        return int(ExitCode.FAILED)


def lay_out(folder: Path) -> int:
    """What the engine does of a plan, as the stage asks for it."""

    def do() -> int:
        paths = RunPaths(folder)
        create_arrays(paths, TOY, replace=True)
        for arm in TOY.arms:
            write_index(paths, frames(arm.name, arm.n_items))
        TOY.save(paths.manifest)
        return 0

    return explained(do)


def look_through(folder: Path) -> int:
    """What ``verify`` asks of the engine."""

    def do() -> int:
        damages = verify(RunPaths(folder))
        for damage in damages:
            print(f"{damage}\n  why: it is damaged")
        return int(ExitCode.BLOCKED if damages else ExitCode.COMPLETE)

    return explained(do)


def toy_session(folder: Path, **options: Any) -> int:
    return explained(lambda: int(toy_run(folder, batch_items=4, **options).stop))


def toy_result(folder: Path) -> object:
    assert Manifest.load(RunPaths(folder).manifest) == TOY
    assert decoded(folder) == expected(TOY)
    return decoded(folder)


def command(*words: str) -> int:
    """The command line, in this process."""
    from ptyrun.cli.main import main

    sys.argv = ["ptyrun", *words]
    try:
        main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
        return int(ExitCode.FAILED)
    return 0


def inputs(folder: Path) -> tuple[Path, Path]:
    """A scan and a reconstruction beside the run's folder, written once."""
    scan, recon = folder.parent / "scan.npz", folder.parent / "recon.npz"
    if not recon.exists():
        np.savez(scan, allow_pickle=False, **scan_arrays())
        np.savez(recon, allow_pickle=False, reconstructed_object=small_object() * 1.01)
    return scan, recon


def plan(folder: Path) -> int:
    scan, recon = inputs(folder)
    words = [f"--test_data={scan}", f"--tike_recon_path={recon}", f"--output_dir={folder}"]
    return command("plan", *words, f"--arm=name=second,reconstruction={recon}")


def finalize(folder: Path, *words: str) -> int:
    """With a small picture in the place of figures, which take half the time and no disk."""
    from ptyrun.report import drawn

    with patch.object(drawn, "content", lambda *_, **__: _picture()):
        return command("finalize", str(folder), *words)


def _picture() -> bytes:
    stream = BytesIO()
    Image.new("L", (8, 8)).save(stream, "png")
    return stream.getvalue()


def report(folder: Path) -> int:
    return command("report", str(folder))


def run(folder: Path) -> int:
    return command("run", str(folder))


def plan_result(folder: Path) -> object:
    """What is planned: every byte, as sessions may add none to a comparison without predictors."""
    named = [RunPaths(folder).manifest, *RunPaths(folder).arrays.rglob("*")]
    return {path.name: path.read_bytes() for path in named if path.is_file()}


WORKS: Mapping[str, Work] = {
    "engine-plan": Work(
        begin=lambda folder: folder.mkdir(),
        act=lay_out,
        go_on=lay_out,
        complete=toy_session,
        result=toy_result,
        finishes=False,
    ),
    "run": Work(
        begin=lambda folder: planned(folder, TOY),
        act=toy_session,
        go_on=lambda folder: toy_session(folder, max_chunks=1),
        complete=toy_session,
        result=toy_result,
    ),
    "engine-verify": Work(
        begin=lambda folder: planned(folder, TOY) and toy_session(folder),
        act=look_through,
        go_on=toy_session,
        complete=toy_session,
        result=toy_result,
        reads_hints=True,
    ),
    "plan": Work(
        begin=lambda folder: inputs(folder),
        act=plan,
        go_on=plan,
        complete=lambda folder: plan(folder) or run(folder),
        result=plan_result,
        finishes=False,
    ),
    "finalize": Work(
        begin=lambda folder: plan(folder) or run(folder),
        act=finalize,
        go_on=run,
        complete=finalize,
        result=content,
    ),
    # Results that are there stay until others take their place: a report needs them.
    "finalize-again": Work(
        begin=lambda folder: plan(folder) or run(folder) or finalize(folder),
        act=lambda folder: finalize(folder, "--force"),
        go_on=report,
        complete=finalize,
        result=content,
    ),
    "report": Work(
        begin=lambda folder: plan(folder) or run(folder) or finalize(folder),
        act=report,
        go_on=report,
        complete=report,
        result=lambda folder: (folder / "report/metrics.csv").read_bytes(),
    ),
    "verify": Work(
        begin=lambda folder: plan(folder) or run(folder) or finalize(folder) or report(folder),
        act=lambda folder: command("verify", str(folder)),
        go_on=report,
        complete=finalize,
        result=content,
        reads_hints=True,
    ),
    "status": Work(
        begin=lambda folder: plan(folder) or run(folder) or finalize(folder) or report(folder),
        act=lambda folder: command("status", str(folder)),
        go_on=report,
        complete=finalize,
        result=content,
    ),
}

QUICK = ("engine-plan", "run", "engine-verify", "plan")


def fresh(folder: Path) -> Path:
    """Take away what an earlier trial left there."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder
