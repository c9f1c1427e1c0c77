"""How does a stage have a trainer or an algorithm work in a process of its own?

The process reads the stage's input, writes its states, and leaves what it made among them. It is
judged by what it leaves: arrays whose types are looked at, and a file that is copied.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from ptyrun.child.answers import KNOWN, UntruthError
from ptyrun.child.fence import Yard
from ptyrun.child.inline import is_inline
from ptyrun.child.process import ForeignProcess
from ptyrun.engine.closing import Closing
from ptyrun.errors import (
    BlockedError,
    CutOffError,
    ForeignFileError,
    PredictorDiedError,
    PtyrunError,
    UnfinishedError,
)
from ptyrun.host import durable, partials, trees
from ptyrun.host.documents import canonical_json
from ptyrun.host.regular import open_regular, read_regular
from ptyrun.host.signals import Interrupts
from ptyrun.ptycho.reconstruction.reconstructor import ReconstructionError
from ptyrun.study.task import StageFailedError, Task
from ptyrun.training.checkpoints import MAX_BYTES, Arrays, unpacked

PROGRAM = "ptyrun.study.foreign_server"
MADE = "made"  # a folder among the stage's pieces, and the name of the arrays in it
MAX_TEXTS = 64


@dataclass(frozen=True)
class Made:
    """What foreign code made: words for tables, and arrays; files lie where they were to lie."""

    texts: tuple[str, ...]
    arrays: Arrays


Deed = Callable[[Task, Path], Made]


def made(task: Task, what: str, deed: Deed, reads: Iterable[Path | str], *files: Path) -> Made:
    """Have *deed* done, in a process of its own unless the user wants it here.

    Parameters
    ----------
    task : Task
    what : str
        Whose code it is, for people.
    deed : callable
        Given the task and a folder for its files; a function of a module of the study.
    reads : iterable of Path or str
        What the process has to read besides programs and packages.
    *files : Path
        Where the files belong that it makes, which it calls by the same names.

    Raises
    ------
    UnfinishedError
        If the window closes or a signal comes before it is done; what it kept stays.
    PredictorDiedError
        If the process ends without an answer.
    PtyrunError
        As *deed* does.
    """
    if is_inline():
        return deed(task, files[0].parent if files else task.pieces)
    folder = task.pieces / MADE
    trees.discard(folder, whatever_modes=True)
    with durable.storage_errors(folder):
        folder.mkdir(parents=True)
    try:
        texts = _asked(task, what, deed, reads)
        found = Made(texts, _arrays(folder, task, what))
        for place in files:
            _publish(folder / place.name, place, what)
    finally:
        trees.discard(folder, whatever_modes=True)
        with suppress(OSError):  # where nothing was kept, nothing stays
            task.pieces.rmdir()
    return found


class _Worker(ForeignProcess):
    KNOWN: ClassVar[Mapping[str, type[PtyrunError]]] = {
        **KNOWN,
        **{
            kind.__name__: kind
            for kind in (UnfinishedError, BlockedError, StageFailedError, ReconstructionError)
        },
    }
    HINT = (
        "its process reads programs, packages and the stage's input, and writes its states alone; "
        "PTYRUN_INLINE=1 lets it do what you can do"
    )


def _asked(task: Task, what: str, deed: Deed, reads: Iterable[Path | str]) -> tuple[str, ...]:
    name = f"{what}\n{canonical_json(dict(task.stage.parameters))}"
    places = [os.path.realpath(each) for each in reads]
    is_confined = True
    with Interrupts() as asked:
        ends = Closing(task.window, asked)
        while True:
            yard = Yard.around(name, places, [str(task.pieces.absolute())], is_confined=is_confined)
            process = _Worker(yard, PROGRAM, what, _tell)
            try:
                is_over = _Ending(process, ends, asked)
                process.settle(is_over)
                if process.unfit:
                    _tell(f"the {what} is not confined: {process.unfit}")
                    is_confined = False
                    continue
                if process.why_free:
                    _tell(f"the {what} is not confined: {process.why_free}")
                return process.ask(_message(task, deed), is_over, _texts_of)
            except (CutOffError, PredictorDiedError, UnfinishedError) as error:
                if isinstance(error, PredictorDiedError) and not asked.reason:
                    raise
                raise _unfinished(error, what, asked.reason) from error
            finally:
                process.end()


def _unfinished(error: Exception, what: str, reason: str | None) -> UnfinishedError:
    if isinstance(error, UnfinishedError):
        return UnfinishedError(error.what, why=reason or error.why, do=error.do)
    return UnfinishedError(
        f"the {what} is not done yet: the next call resumes from the last state it kept",
        why=reason or "the window closed",
        do="run the same command again",
    )


@dataclass
class _Ending:
    """Whether to wait no more; hands a signal on, once, so that the state is kept."""

    process: ForeignProcess
    ends: Closing
    asked: Interrupts
    is_told: bool = False

    def __call__(self) -> bool:
        if self.asked.reason and not self.is_told:
            self.is_told = True
            self.process.terminate()
        return self.ends.is_late()


def _message(task: Task, deed: Deed) -> dict[str, Any]:
    stage = {
        **asdict(task.stage),
        "inputs": [
            {**asdict(each), "path": str(each.path.absolute())} for each in task.stage.inputs
        ],
        "cwd": None,
    }
    remaining_s = task.window.remaining_s
    return {
        "do": "make",
        "deed": f"{deed.__module__}:{deed.__name__}",
        "stage": stage,
        "hub": str(task.hub.root.absolute()),
        "pieces": str(task.pieces.absolute()),
        "remaining_s": None if remaining_s == float("inf") else remaining_s,
    }


def _texts_of(answer: dict[str, Any]) -> tuple[str, ...]:
    texts = answer.get("texts")
    if not isinstance(texts, list) or len(texts) > MAX_TEXTS:
        raise UntruthError("no names of what was made")
    if not all(isinstance(each, str) and len(each) < 200 and each.isprintable() for each in texts):
        raise UntruthError("invalid names of what was made")
    return tuple(texts)


def _arrays(folder: Path, task: Task, what: str) -> Arrays:
    try:
        return unpacked(read_regular(folder / MADE, MAX_BYTES), task.pieces.name)
    except (OSError, ValueError, ForeignFileError) as error:
        why = error.why if isinstance(error, ForeignFileError) else str(error)
        raise _no_result(what, why) from error


def _publish(source: Path, place: Path, what: str) -> None:
    partial = partials.name(place)
    try:
        with open_regular(source) as stream, durable.storage_errors(place):
            with partial.open("xb") as target:
                shutil.copyfileobj(stream, target)
            durable.sync_file(partial)
            durable.publish(partial, place)
            durable.fsync_folder(place.parent)
    except (FileNotFoundError, ForeignFileError) as error:
        raise _no_result(what, str(error.args[0])) from error
    finally:
        partial.unlink(missing_ok=True)


def _no_result(what: str, why: str) -> StageFailedError:
    return StageFailedError(
        f"the {what} says that it is done, but left no result that can be used",
        why=why,
        do=f"correct the {what}",
    )


def _tell(line: str) -> None:
    print(line, flush=True)  # the stage's log
