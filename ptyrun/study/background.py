"""How is a study worked on in the background, tracked, until it is complete?"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat

from ptyrun.background.completion import Completion
from ptyrun.background.control import detached
from ptyrun.background.tracked import TrackedProcess
from ptyrun.background.tracked_session import held_session
from ptyrun.background.windows import until_complete
from ptyrun.comparison.run import Run
from ptyrun.errors import DamageError, ExitCode, PtyrunError
from ptyrun.host import durable
from ptyrun.host.children import Parent, ptyrun_words
from ptyrun.host.documents import digest_of
from ptyrun.progress import Watcher
from ptyrun.study import working
from ptyrun.study.graph import Graph
from ptyrun.study.making import now
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey


@dataclass(frozen=True)
class _End:
    code: int
    reason: str
    windows: int = 0


def start(study: Study, words: Sequence[str], *, take_over: bool = False) -> TrackedProcess:
    """Detach a session that works on a study until it is complete.

    Raises
    ------
    BusyError
        If a tracked session works on the hub; the error names it.
    PtyrunError
        If the session did not come up; the error quotes it.
    """
    graph(study)  # refuses what cannot be made
    durable.make_folder(study.hub.root)
    paths = Run(study.hub.root.resolve()).paths
    return detached(paths, ("study", "start", *words), take_over=take_over)


def track(
    study: Study,
    words: Sequence[str],
    argv: Sequence[str],
    log: str,
    watcher: Watcher,
    *,
    take_over: bool = False,
) -> int:
    """Work on a study in this process until it is complete, tracked from start to end.

    Parameters
    ----------
    study : Study
    words : sequence of str
        What each window's ``ptyrun study run`` is given.
    argv : sequence of str
        The command to note as this process's.
    log : str
        Where this process writes, below the hub; empty if to a terminal.
    watcher : Watcher
    take_over : bool
        Believe a session dead that cannot be seen from this host.

    Returns
    -------
    int
        The session's exit code, the one in ``process.json``.

    Raises
    ------
    BusyError
        If another tracked session works on the hub; the error names it.
    """
    stages, paths = graph(study), Run(study.hub.root).paths
    digest = digest_of({stage.key: dict(stage.parameters) for stage in stages.stages})
    held = held_session(paths, digest, argv, log, watcher, take_over=take_over)
    with held as (tracked, parent):
        end = _worked(stages, words, parent, watcher)
        artifacts: dict[str, str] = {}
        if end.code == ExitCode.COMPLETE:
            try:
                artifacts = _artifacts(stages)
            except PtyrunError as error:
                end = _End(int(error.exit_code), str(error), end.windows)
        ended_at = now()
        if end.code == ExitCode.COMPLETE:
            Completion(
                session=tracked.session,
                exit_code=end.code,
                reason=end.reason,
                evidence="",
                manifest_digest=digest,
                counts=None,
                artifacts=artifacts,
                windows=end.windows,
                started_at=tracked.started_at,
                finished_at=ended_at,
            ).save(paths.completion)
        _ended(tracked, end, ended_at).save(paths.process)
        watcher.note(end.reason)
        return end.code


def _worked(stages: Graph, words: Sequence[str], parent: Parent, watcher: Watcher) -> _End:
    # Only the first window sets aside what is there.
    later = [word for word in words if word != working.CLOBBER]
    windows = chain([words], repeat(later))
    commands = (ptyrun_words("study", "run", *each) for each in windows)
    try:
        ended = until_complete(parent, commands, working.goal_of(stages), watcher)
    except PtyrunError as error:
        watcher.note(f"error: {error}")
        return _End(int(error.exit_code), str(error))
    except Exception as error:
        watcher.note("".join(traceback.format_exception(error)))
        return _End(int(ExitCode.FAILED), f"{type(error).__name__}: {error}")
    if ended.exit_code == ExitCode.COMPLETE:
        return _End(int(ExitCode.COMPLETE), "complete, by its content", ended.windows)
    reason = f"`ptyrun study run` ended with exit code {int(ended.exit_code)}"
    if parent.caught:
        reason = f"stopped by {parent.caught.name} during `ptyrun study run`; work remains"
    return _End(int(ended.exit_code), reason, ended.windows)


def _artifacts(stages: Graph) -> dict[str, str]:
    """SHA-256 of every output, each just compared with its record."""
    found = survey(stages)
    if any(each.state is not State.DONE for each in found.values()):
        left = next(each for each in found.values() if each.state is not State.DONE)
        raise DamageError(
            f"the stage {left.stage.key} is not done any more",
            why=left.why,
            do="run the study again",
        )
    records = [each.record for each in found.values() if each.record is not None]
    return {name: digest for record in records for name, digest in record.outputs.items()}


def _ended(tracked: TrackedProcess, end: _End, ended_at: str) -> TrackedProcess:
    return replace(
        tracked,
        ended_at=ended_at,
        exit_code=end.code,
        reason=end.reason,
        evidence="" if end.code == ExitCode.COMPLETE else tracked.log,
        windows=end.windows,
    )
