"""How does one session compute what a run still lacks?"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ptyrun.child import ahead
from ptyrun.child import predictor as child
from ptyrun.child.inline import is_inline
from ptyrun.comparison import gates, trust
from ptyrun.comparison.code import refuse_changed_code
from ptyrun.comparison.fingerprints import Fingerprints
from ptyrun.comparison.first_patches import FirstPatches
from ptyrun.comparison.group_tables import ArmIndex
from ptyrun.comparison.kept import Kept
from ptyrun.comparison.model_facts import ModelFacts, as_it_is
from ptyrun.comparison.patch_work import PatchWork
from ptyrun.comparison.planned_inputs import refuse_changed_inputs
from ptyrun.comparison.run import Run
from ptyrun.comparison.sources import Sources
from ptyrun.config import SessionOptions
from ptyrun.engine import ownership, runner
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.engine.batches import KnownBatchLimit
from ptyrun.engine.closing import Closing
from ptyrun.engine.manifest import Manifest
from ptyrun.engine.opening import OpenedSession, opened_session
from ptyrun.engine.window import Window
from ptyrun.engine.work import Event, Outcome
from ptyrun.errors import BlockedError, CutOffError, ModelError, PredictionError, PtyrunError
from ptyrun.host.attempts import ATTEMPTS
from ptyrun.host.devices import hold_devices
from ptyrun.host.signals import Interrupts
from ptyrun.logs import session_log
from ptyrun.models.cards import inspect
from ptyrun.models.files import locate
from ptyrun.models.halving import Halving, HalvingPredictor, open_halving
from ptyrun.models.predictors import ModelRequest
from ptyrun.progress import SILENT, Watcher, predicting

log = logging.getLogger(__name__)


def run(run_dir: Path, session: SessionOptions | None = None, watcher: Watcher = SILENT) -> Outcome:
    """Work on a planned run until it is complete or the window closes.

    Parameters
    ----------
    run_dir : Path
        The run's folder, as planned.
    session : SessionOptions, optional
        What bounds this session.

    Returns
    -------
    Outcome
        ``stop`` is the exit code that says the same.

    Raises
    ------
    IdentityError
        If an input changed since the run was planned, or if somebody else planned it and it asks
        for code or folders of this user.
    ReplacedError
        If the run's plan is replaced while this session works.
    ModelError
        If an arm that lacks chunks has a program for a model, and the session does not trust it.
    BusyError
        If another run holds a device that this one needs.
    BlockedError
        If predictions carry nothing; a blocker is left in ``blocked/``.
    """
    session = session or SessionOptions()
    planned = Run(run_dir)
    paths = planned.paths
    for name in session.arms or ():
        planned.manifest.arm(name)
    ownership.require_own(planned.manifest, paths, adopt=session.adopt)
    trust.require(planned, session)
    window = Window(session.window_s)
    try:
        with (
            session_log(paths.logs),
            opened_session(
                paths,
                window,
                shared=session.shared_folder,
                crew=session.crew,
                watcher=watcher,
            ) as opened,
        ):
            return _compute(opened, session, watcher)
    except BlockedError as error:
        given = SessionOptions(
            trusted_arms=session.trusted_arms, unconfined_arms=session.unconfined_arms
        )
        resume = shlex.join(["ptyrun", "run", str(run_dir), *given.words()])
        raise gates.block(paths, error, resume) from error


def _compute(opened: OpenedSession, session: SessionOptions, watcher: Watcher) -> Outcome:
    here = Run.of(opened.paths.root, opened.manifest, opened.ledger)
    manifest, paths, window = here.manifest, here.paths, opened.window
    interrupts = Interrupts()
    ends = Closing(window, interrupts)
    models = _Models(here, session, watcher, ends)
    # In a crew each worker waits for the last ones, which is nothing to tell.
    notes = ("demoted",) if session.crew else ("demoted", "waiting")
    with ExitStack() as held:
        held.callback(models.end)
        models.begin()  # what it imports takes as long as all that is looked at meanwhile
        fingerprints = Fingerprints(paths.digests)
        refuse_changed_inputs(manifest, fingerprints)
        refuse_changed_code(manifest, fingerprints)
        shown = held.enter_context(closing(_Progress(manifest, watcher, notes)))

        @cache
        def hold() -> None:
            held.enter_context(
                hold_devices(
                    paths.root,
                    session.device_wait_s,
                    session.lock_cpu,
                    watcher,
                    session.crew,
                    ends.is_closing,
                )
            )

        def open_work(arm: ArmPlan, fitting: KnownBatchLimit) -> PatchWork:
            hold()  # before a framework takes hold of the device, and only if one will
            return _open_work(arm, fitting, models, watcher)

        # Of a crew, somebody begins with each arm, and finds out as early.
        if opened.is_first and not session.crew:
            with suppress(CutOffError):  # the session itself says that its window closed
                for arm in arms_of_unknown_shape(manifest, session.arms):
                    hold()
                    models.opened(arm, 1).close()
        return runner.work(
            opened,
            open_work,
            arms=session.arms,
            max_chunks=session.max_chunks,
            progress=shown,
            interrupts=interrupts,
        )


def arms_of_unknown_shape(manifest: Manifest, only: Sequence[str] | None = None) -> list[ArmPlan]:
    """Arms whose model does not tell by its file whether it suits the scan, and comes later.

    Such a model is tried before the first chunk of the first session: otherwise a mistake would
    be found after all the work on the arms before it.
    """
    arms = [arm for arm in manifest.arms if arm.n_chunks and (only is None or arm.name in only)]
    return [arm for arm in arms[1:] if not _declares_shape(arm, manifest)]


def _declares_shape(arm: ArmPlan, manifest: Manifest) -> bool:
    if not ModelFacts.of(arm).is_built_in:
        return False  # another package's: only that can read its files
    card = inspect(locate(Sources.of(manifest).arms[arm.name]))
    return card.patch_px is not None and card.gridsize is not None


@dataclass
class _Models:
    """Opens the models of a run, each in a process of its own."""

    here: Run
    session: SessionOptions
    watcher: Watcher
    ends: Closing
    _begun: tuple[str, child.Hosted] | None = None

    def begin(self) -> None:
        """Start the process of the first arm that lacks chunks; nothing is loaded yet."""
        if is_inline():
            return
        progress = self.here.progress.arms
        for name in self.session.arms or progress:
            arm = progress[name].plan
            if progress[name].chunks_committed < arm.n_chunks:
                self._begun = (name, self._begin(arm))
                return

    def _begin(self, arm: ArmPlan) -> child.Hosted:
        """Take the process that a call began which also planned, or begin one."""
        facts, path = ModelFacts.of(arm), self.here.sources.arms[arm.name]
        hosted = self._hosted(arm, facts, self.request(arm, 1))
        with suppress(OSError, PtyrunError):  # of a model that is gone, which is told with its name
            found = ahead.taken((arm.name, hosted.is_confined, as_it_is(arm, path)))
            if found is not None:
                found.waits, found.say, found.label = hosted.waits, hosted.say, hosted.label
                return found
        hosted.begin()
        return hosted

    def end(self) -> None:
        """End the process that was started and not used."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun[1].end()

    def request(self, arm: ArmPlan, batch_items: int) -> ModelRequest:
        """What the run asks of the arm's model."""
        facts = ModelFacts.of(arm)
        return ModelRequest(
            path=self.here.sources.arms[arm.name],
            patch_px=arm.item_shape[-1],
            gridsize=facts.gridsize,
            batch_items=batch_items,
            options=facts.options,
            trusted=arm.name in self.session.trusted_arms,
        )

    def opened(
        self,
        arm: ArmPlan,
        batch_items: int,
        on_halving: Callable[[Halving], None] = lambda halving: None,
    ) -> HalvingPredictor:
        """Open one; it is closed by who asked."""
        facts, request = ModelFacts.of(arm), self.request(arm, batch_items)
        try:
            if is_inline():
                return open_halving(facts.backend, request, on_halving)
            return child.open_hosted(self._hosted(arm, facts, request), on_halving)
        except ModelError as error:
            raise error.with_hint(
                f"the run names this model: with another one, add --invalidate {arm.name}"
            ) from error
        except PredictionError as error:
            raise error.with_hint(f"the model is that of arm {arm.name!r}") from error

    def _hosted(self, arm: ArmPlan, facts: ModelFacts, request: ModelRequest) -> child.Hosted:
        if self._begun is not None and self._begun[0] == arm.name:
            hosted = self._begun[1]
            self._begun = None
            hosted.request = request
            return hosted
        return child.Hosted(
            facts.backend,
            request,
            facts.weights_sha256,
            is_confined=arm.name not in self.session.unconfined_arms,
            label=arm.label,
            waits=child.Waits(self.ends.is_closing, self.ends.is_late),
            say=self.watcher.note,
        )


def _open_work(
    arm: ArmPlan, fitting: KnownBatchLimit, models: _Models, watcher: Watcher
) -> PatchWork:
    def on_halving(halving: Halving) -> None:
        fitting.halved(halving.before_items, halving.after_items, halving.why)
        watcher.note(f"{arm.label}: {halving}")

    # More than there are would be padding, computed in vain.
    batch_items = fitting.cap(min(ModelFacts.of(arm).batch_groups, arm.n_items))
    here = models.here
    watcher.note(f"{arm.label}: loading {here.sources.arms[arm.name].name}")
    index = ArmIndex.read(here.paths, arm)  # meanwhile its process imports
    predictor = models.opened(arm, batch_items, on_halving)
    notes = predictor.card.notes
    for note in notes:
        watcher.note(f"{arm.label}: {note}")
    if notes and predictor.batch_in_memory < fitting.cap(batch_items):
        # A network that merges groups is asked once: later sessions begin where it does not.
        fitting.halved(batch_items, predictor.batch_in_memory, "; ".join(notes))
    first = FirstPatches(Kept(here.paths.steps), here.manifest, arm, here.scan, index)
    return PatchWork(first, predictor, watcher.warn)


class _Progress:
    """Tells a watcher what the engine reports: one bar per arm, a line for what went wrong."""

    def __init__(self, manifest: Manifest, watcher: Watcher, notes: Sequence[str]) -> None:
        self._labels = {arm.name: arm.label for arm in manifest.arms}
        self._watcher = watcher
        self._notes = notes
        self._committed: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        if event.kind == "committed":
            ATTEMPTS.progressed()
        if event.arm is not None:
            self._count(event, predicting(self._labels[event.arm]), event.arm)
        if event.kind in ("failed", "set_aside") and event.arm is not None:
            verdict = "is quarantined" if event.kind == "set_aside" else "will be tried again"
            chunk = f"chunk {event.chunk} of {self._labels[event.arm]}"
            self._watcher.note(f"{chunk} failed and {verdict}: {event.message}")
        elif event.kind in self._notes:
            self._watcher.note(event.message)
        elif event.message:
            log.info("%s: %s", event.kind, event.message)

    def _count(self, event: Event, task: str, arm: str) -> None:
        if arm not in self._committed:
            self._watcher.begin(task, event.items_total, event.items_committed)
        else:
            self._watcher.advance(task, event.items_committed - self._committed[arm])
        self._committed[arm] = event.items_committed

    def close(self) -> None:
        """End the bars."""
        for arm in self._committed:
            self._watcher.end(predicting(self._labels[arm]))
