"""How is a study worked on in the background, tracked, until it is complete?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from ptyrun.background.control import detached
from ptyrun.background.tracked_session import COMPLETE, conclude, ended_by, held_session
from ptyrun.background.windows import until_complete
from ptyrun.comparison.run import Run
from ptyrun.comparison.tracked import Ending, TrackedProcess
from ptyrun.errors import DamageError, ExitCode
from ptyrun.host import durable
from ptyrun.host.children import Parent, ptyrun_words
from ptyrun.host.documents import digest_of
from ptyrun.progress import Watcher
from ptyrun.study import working
from ptyrun.study.graph import Graph
from ptyrun.study.plan import Study, graph
from ptyrun.study.state import State, survey


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
        session = _Session(stages, parent, watcher)
        code, reason = ended_by(lambda: session.work(words), watcher)
        evidence = "" if code == ExitCode.COMPLETE else tracked.log
        ending = Ending(code, reason, evidence, None, session.windows)
        return conclude(paths, tracked, ending, session.artifacts, watcher)


@dataclass
class _Session:
    """The work of one tracked session on a study."""

    stages: Graph
    parent: Parent
    watcher: Watcher
    windows: int = 0
    artifacts: Mapping[str, str] = field(default_factory=dict)

    def work(self, words: Sequence[str]) -> tuple[int, str]:
        """Do everything; give exit code and reason."""
        # Only the first window sets aside what is there.
        later = [word for word in words if word != working.CLOBBER]
        commands = (ptyrun_words("study", "run", *each) for each in chain([words], repeat(later)))
        ended = until_complete(self.parent, commands, working.goal_of(self.stages), self.watcher)
        self.windows = ended.windows
        if ended.exit_code == ExitCode.COMPLETE:
            self.artifacts = _artifacts(self.stages)
            return int(ExitCode.COMPLETE), COMPLETE
        if caught := self.parent.caught:
            reason = f"stopped by {caught.name} during `ptyrun study run`; work remains"
        else:
            reason = f"`ptyrun study run` ended with exit code {int(ended.exit_code)}"
        return int(ended.exit_code), reason


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
