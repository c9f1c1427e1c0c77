"""How is one comparison of a study made? By `ptyrun compare`, in a process of its own.

First a debug comparison of few groups, the gate: its Baseline must not be zero. Then all groups,
with the patches that the debug comparison has already.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import IO

from ptyrun.comparison.run import Run
from ptyrun.engine import ownership
from ptyrun.errors import BlockedError, ExitCode, UnfinishedError
from ptyrun.host import durable, listing
from ptyrun.host.advice import Advice
from ptyrun.host.children import Parent, ptyrun_words
from ptyrun.host.documents import text_of
from ptyrun.models.files import locate
from ptyrun.results import Results
from ptyrun.study import analysis
from ptyrun.study.own_models import are_own
from ptyrun.study.stage import BASELINE, PINN, RECONSTRUCTION, SCAN
from ptyrun.study.task import StageFailedError, Task, TooShortError

# Each named here as in the manifest of comparisons, and by the stage's inputs.
MODELS = {PINN: "--pinn_dir", BASELINE: "--baseline_dir"}
ENDS_S = 0.4  # before the stage that waits for it
_LAST_LINES = 40


def debug(task: Task) -> None:
    """Make the debug comparison, and what the full one rests on of it: ``gate.json``."""
    n_groups, chunk_groups = task.value("groups"), task.value("chunk_groups")
    # Limits keep the normalisation of the whole selection: the full comparison takes the patches.
    few = [f"--pinn-debug-limit={n_groups}", f"--baseline-debug-limit={n_groups}"]
    _compare(task, [*_common(task, min(chunk_groups, max(1, n_groups // 2))), *few])
    results = Results.load(Run(_folder(task)).paths.results)
    durable.write_text(_folder(task) / analysis.GATE, _gate(results))


def compare(task: Task) -> None:
    """Make the full comparison, its report and its log."""
    gate = next(each.path.parent for each in task.stage.inputs if each.path.name == analysis.GATE)
    words = [*_common(task, task.value("chunk_groups")), f"--require-debug={gate}"]
    # What another user or machine computed is not taken over.
    more = [f"--reuse={gate}"] if ownership.is_own(Run(gate).paths) else []
    _compare(task, words, more)


def _folder(task: Task) -> Path:
    return task.hub.path(task.stage.workspace).absolute()


def _common(task: Task, chunk_groups: int) -> list[str]:
    """The words of both comparisons, those of upstream's first and as it spells them."""
    words = []
    for role, word in MODELS.items():
        words += [word, str(_model_folder(task, role))]
    words += ["--test_data", str(task.only(SCAN).absolute())]
    words += ["--output_dir", str(_folder(task))]
    if (n_groups := task.value("n_test_groups")) is not None:
        words += ["--n-test-groups", str(n_groups)]
    for arm in ("pinn", "baseline"):
        words += [f"--{arm}-chunk-size", str(chunk_groups)]
        words += [f"--{arm}-predict-batch-size", str(task.value("batch_groups"))]
    for word in ("phase-align-method", "frc-sigma", "ms-ssim-sigma"):
        words += [f"--{word}", str(task.value(word.replace("-", "_")))]
    words += ["--tike_recon_path", str(task.only(RECONSTRUCTION).absolute())]
    return [*words, "--register-ptychi-only"]


def _model_folder(task: Task, role: str) -> Path:
    """Where the files of a model lie; a folder that holds one, or is one."""
    paths = [each.path for each in task.stage.inputs if each.role == role]
    folder = paths[0] if len(paths) == 1 and paths[0].is_dir() else paths[0].parent
    return folder.absolute()


def _compare(task: Task, words: Sequence[str], more: Sequence[str] = ()) -> None:
    """Let `ptyrun compare` work until the window ends; when it is done, write its log.

    Raises
    ------
    UnfinishedError
        If work remains, or the rest of this window is too short for it.
    BlockedError
        If a content check failed; a blocker in the comparison's folder says which.
    StageFailedError
        If it ended with another exit code.
    """
    trusted = [f"--trust-model={arm}" for arm in _trusted(task)]
    left_s = task.window.remaining_s - ENDS_S
    window = [] if left_s == float("inf") else ["--window", f"{max(left_s, 0.1):.2f}s"]
    with tempfile.TemporaryDirectory(prefix="ptyrun-") as scratch:
        advice = Advice(Path(scratch) / "window_s")
        said = Path(scratch) / "stdout"
        line = ptyrun_words("compare", *words, *more, *trusted, *window)
        with said.open("wb") as stdout, _Lines() as stderr, Parent() as parent:
            code = parent.call(line, advice.environment, stdout=stdout.fileno(), stderr=stderr.end)
            is_asked = parent.caught is not None
        enough_s = advice.take()
        text = said.read_text(encoding="utf-8", errors="replace")
    if code == ExitCode.COMPLETE:
        _write_log(task, words, text)
        return
    _judge(task, code, enough_s, stderr.last, is_asked=is_asked)


def _judge(task: Task, code: int, enough_s: int | None, last: str, *, is_asked: bool) -> None:
    key = task.stage.key
    if code == ExitCode.BLOCKED:
        blockers = sorted(listing.matching(Run(_folder(task)).paths.blocked, "*.md"))
        where = f"; see {blockers[-1].relative_to(task.hub.root.absolute())}" if blockers else ""
        raise BlockedError(
            f"the stage {key} stopped at a content check",
            why=f"{_error_in(last) or 'the comparison is blocked'}{where}",
            do="follow the blocker's advice, then run the study again",
        )
    if enough_s is not None:
        raise TooShortError(
            f"the rest of this window is too short for {key}",
            why=f"its next step takes a window of {enough_s} s",
            do=f"use --window {enough_s}s or more",
            needed_s=enough_s,
        )
    if code == ExitCode.INCOMPLETE or is_asked:
        raise UnfinishedError(
            f"the stage {key} is not done yet",
            why="the window closed, or a signal came; what it computed is kept",
            do="run the same command again",
        )
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    raise StageFailedError(
        f"the stage {key} failed",
        why=f"`ptyrun compare` {how}: {_error_in(last) or 'its log says more'}",
        do="correct that, then run the study again",
    )


def _error_in(lines: str) -> str:
    """Take the last error out of what a command said."""
    _, found, rest = f"\n{lines}".rpartition("\nerror: ")
    if not found:
        return ""
    what, _, more = rest.partition("\n")
    why = more.strip().partition("\n")[0].removeprefix("why:").strip()
    return f"{what} ({why})" if why else what


def _trusted(task: Task) -> list[str]:
    """Arms whose models may run: those that the user named, and those trained here."""
    digests = {
        role: [task.inputs[each.name] for each in task.stage.inputs if each.role == role]
        for role in MODELS
    }
    return [role for role in MODELS if role in task.trusted or are_own(digests[role])]


def _write_log(task: Task, words: Sequence[str], text: str) -> None:
    """Write ``comparison.log`` as upstream's driver does; the last file of a comparison."""
    command = shlex.join(["ptyrun", "compare", *words])
    log = f"Command: {command}\nReturn code: 0\n\n=== STDOUT ===\n{text.rstrip()}\n\n\n"
    log += f"=== STDERR ===\nsee cli/{task.stage.key}.log\n"
    durable.write_text(_folder(task) / analysis.COMPARISON_LOG, log)


def _gate(results: Results) -> str:
    """What a full comparison rests on: figures of the debug one's arms, without times."""
    arms = {
        name: {
            "label": arm.label,
            "n_groups": arm.n_groups,
            "diagnostics": dict(arm.diagnostics),
            "metrics": {
                metric: asdict(found)
                for metric, found in arm.metrics.items()
                if not metric.endswith("_s")
            },
        }
        for name, arm in results.arms.items()
    }
    return text_of({"schema": 1, "arms": arms})


def checkpoint(folder: Path) -> Path:
    """Name the file that a comparison takes for the model of a folder."""
    path = locate(folder).path
    return path / "saved_model.pb" if path.is_dir() else path


class _Lines:
    """Hands what a child says on to this process's stderr, and keeps its last lines."""

    def __init__(self) -> None:
        self._kept: deque[str] = deque(maxlen=_LAST_LINES)
        read, self.end = os.pipe()
        self._source: IO[bytes] = os.fdopen(read, "rb")
        self._thread = Thread(target=self._copy, daemon=True)

    def __enter__(self) -> _Lines:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.end)
        self._thread.join()
        self._source.close()

    @property
    def last(self) -> str:
        return "".join(self._kept)

    def _copy(self) -> None:
        for line in self._source:
            text = line.decode(errors="replace")
            self._kept.append(text)
            sys.stderr.write(text)
            sys.stderr.flush()
