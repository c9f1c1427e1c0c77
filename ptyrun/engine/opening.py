"""How does a session begin, and how is it written down that it ended?

A session stands in the ledger before anything that takes long (hashing inputs, waiting for a
device, importing a framework), so that whoever replaces a plan sees it; and it looks at the plan
once more when it stands there, so that it never works on one that was replaced before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import ptyrun
from ptyrun.engine import endings, ledger_cache, patience
from ptyrun.engine.claims import LEASE_S, Claims
from ptyrun.engine.ledger import Ledger
from ptyrun.engine.ledger_cache import open_ledger
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.plan_lock import CurrentPlan, PlanLock
from ptyrun.engine.records import Closed
from ptyrun.engine.session_ledger import SessionLedger, begin
from ptyrun.engine.window import Window
from ptyrun.errors import (
    ExitCode,
    IdentityError,
    Leaving,
    PtyrunError,
    ReplacedError,
    StorageError,
)
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.signals import INTERRUPTED
from ptyrun.paths import RunPaths
from ptyrun.progress import SILENT, Watcher

PLANS_TRIED = 3


@dataclass(frozen=True)
class OpenedSession:
    """One process's life on a run, from its first line in the ledger to the last."""

    paths: RunPaths
    manifest: Manifest
    ledger: Ledger
    session: SessionLedger
    claims: Claims
    window: Window
    plan: CurrentPlan
    committed_before: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "committed_before", self.ledger.progress.chunks_committed)

    @property
    def is_first(self) -> bool:
        """Whether no session before this one opened a model or committed anything."""
        arms = self.ledger.progress.arms.values()
        return not any(arm.load_s or arm.chunks_committed for arm in arms)

    def progress(self) -> int:
        """Count the chunks that anybody committed since this session began."""
        return max(0, self.ledger.progress.chunks_committed - self.committed_before)

    def close(self, code: int, reason: str, enough_s: float | None = None) -> None:
        """Write down how the session ended; a second call does nothing."""
        if self.session.is_over:
            return
        progress = self.progress()
        self.session.close(Closed(code, reason, progress, self.window.elapsed_s, enough_s))
        if progress:
            ledger_cache.save(self.ledger)

    def close_by(self, error: BaseException) -> None:
        """Write down that the session ends in *error*, if the disk still takes it."""
        try:
            self.close(*_ending(error))
        except StorageError:
            self.session.abandon()


def _ending(error: BaseException) -> tuple[int, str, float | None]:
    if isinstance(error, Leaving):  # a signal while no chunk was in hand
        return int(ExitCode.INCOMPLETE), INTERRUPTED, None
    what = error.what if isinstance(error, PtyrunError) else str(error)
    code = error.exit_code if isinstance(error, PtyrunError) else ExitCode.FAILED
    if isinstance(error, PtyrunError) and code == ExitCode.FAILED:
        what = f"{what}: {error.why}"
    return int(code), f"{type(error).__name__}: {what}", getattr(error, "enough_s", None)


@contextmanager
def opened_session(
    paths: RunPaths,
    window: Window,
    *,
    manifest: Manifest | None = None,
    shared: bool = False,
    lease_s: float = LEASE_S,
    crew: str = "",
    watcher: Watcher = SILENT,
) -> Iterator[OpenedSession]:
    """Open a session on a run; however this ends, the ledger says so.

    Parameters
    ----------
    paths : RunPaths
    window : Window
    manifest : Manifest, optional
        The plan to work on; by default the one in the folder, whichever that is once the session
        stands in the ledger.
    shared : bool
        Whether workers on several hosts share the folder.
    lease_s : float
        With *shared*: how long a silent worker is believed alive.
    crew : str
        Shared by the sessions that work side by side in one window.
    watcher : Watcher
        Told when a process that plans is waited for.

    Raises
    ------
    ReplacedError
        If the folder holds another plan than *manifest*.
    IdentityError, DamageError, SchemaError
        As `open_ledger`.
    """

    def opened(planned: Manifest) -> OpenedSession:
        plan = CurrentPlan(paths, planned)
        plan.raise_if_failed()  # before anything is written
        ledger = _ledger(paths, planned, plan)
        # While this is held nobody replaces the plan; where the file system has no locks, the
        # second look, and the one before each commit, find it out.
        with PlanLock(paths, watcher):
            plan.raise_if_failed()
            session = begin(
                ledger,
                window.budget_s,
                window.process,
                ptyrun.__version__,
                crew,
                window.elapsed_s,
            )
            claims = Claims(paths.claims, session.name, shared=shared, lease_s=lease_s)
            found = OpenedSession(paths, planned, ledger, session, claims, window, plan)
            try:
                plan.raise_if_failed()
            except BaseException as error:
                found.close_by(error)
                claims.close()
                raise
        return found

    ATTEMPTS.works_on(paths.root)
    session = opened(manifest) if manifest is not None else _on_the_newest(paths, opened)
    if not crew and (warning := patience.brace(session.ledger, window.budget_s)):
        watcher.note(warning)
    try:
        with endings.marked(paths, session.session.name):
            yield session
    except BaseException as error:
        session.close_by(error)
        raise
    else:
        session.close(int(ExitCode.COMPLETE), "nothing was asked for")
    finally:
        session.claims.close()


def _on_the_newest(paths: RunPaths, opened: Callable[[Manifest], OpenedSession]) -> OpenedSession:
    for _ in range(PLANS_TRIED - 1):
        with suppress(ReplacedError):
            return opened(Manifest.of(paths))
    return opened(Manifest.of(paths))


def _ledger(paths: RunPaths, planned: Manifest, plan: CurrentPlan) -> Ledger:
    try:
        return open_ledger(paths, planned)
    except IdentityError:
        plan.raise_if_failed()  # if the plan was replaced meanwhile, that is what happened
        raise
