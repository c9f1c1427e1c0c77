"""How is a study worked on by one call, and looked at when it is done?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from pathlib import Path

from ptyrun.background.windows import Goal, until_complete
from ptyrun.config.study import ON_CLUSTER, StudySession
from ptyrun.engine.window import Window
from ptyrun.errors import ExitCode, InputError, UsageError
from ptyrun.host.children import Parent, ptyrun_words
from ptyrun.host.typed_json import parse
from ptyrun.parallel.scheduler import configured
from ptyrun.progress import Watcher
from ptyrun.study import archive, identity, making, progress
from ptyrun.study.asking import words_of_stage
from ptyrun.study.graph import Graph
from ptyrun.study.hub import COMPARISON_MANIFEST
from ptyrun.study.places import workplace
from ptyrun.study.plan import BASE, Study, graph
from ptyrun.study.reconstruction_stages import KIND
from ptyrun.study.session import Outcome, Session, joined
from ptyrun.study.stage import Stage
from ptyrun.study.state import Standing, State, survey
from ptyrun.study.training_stages import BASELINE, PINN, UPSTREAM

CLOBBER = "--clobber"


def standings(study: Study) -> dict[str, Standing]:
    """Tell of every stage how far it is."""
    return survey(graph(study))


def run(study: Study, config: Path | None, session: StudySession, watcher: Watcher) -> Outcome:
    """Make the stages that are not done, within a window.

    Raises
    ------
    UsageError
        If nothing can be made, because files are missing; nothing is written then.
    BusyError
        If stages are to be set aside and another session works.
    """
    window, stages = Window(session.window_s), graph(study).only(session.only)
    stages.require_plain()
    found = survey(stages)
    _require_algorithm(
        study,
        [e.stage for e in found.values() if session.clobber or e.state is not State.DONE],
        is_here=session.dask is None and session.jobs != ON_CLUSTER,
    )
    if not session.clobber:
        _require_own(study, found)
        _require_something_to_begin(found)
        _require_base(found)
        if all(each.state is State.DONE for each in found.values()):
            making.sweep_all(study.hub, found.values())
            return Outcome(ExitCode.COMPLETE, found)
    words = partial(words_of_stage, study, config, trusted=session.trusted_arms)
    dask = configured() if session.dask is None and session.jobs == ON_CLUSTER else session.dask
    with joined(study, alone=session.clobber) as number:
        if session.clobber and (folder := archive.clobber(stages)) is not None:
            watcher.note(f"what these stages made was moved to {folder}")
        with workplace(study.hub, session.jobs, dask, window, watcher) as places:
            return Session(stages, words, window, watcher, places, number).run()


def _require_own(study: Study, found: dict[str, Standing]) -> None:
    """See that a hub which no study has worked on yet holds none of this one's files."""
    if identity.of_hub(study.hub) is not None:
        return
    names = [
        name
        for each in found.values()
        if each.record is None and each.attempt is None
        for name in each.stage.made(study.hub)
        if os.path.lexists(study.hub.path(name))
    ]
    # Another session may have begun since, and made them.
    if names and identity.of_hub(study.hub) is None:
        raise UsageError(
            f"{study.hub.root} holds files that no study of ptyrun's made, like {names[0]}",
            why=f"the study would make {len(names)} of them again",
            do="give another --hub, name them as ready files in study.toml, or set them aside "
            "with --clobber",
        )


def _require_algorithm(study: Study, left: Sequence[Stage], *, is_here: bool) -> None:
    """See now, and not hours later, that trainers and algorithm are installed.

    What they compute with is asked for as well where this machine is to do so.
    """
    networks = [each for each in left if each.kind in (PINN, BASELINE) and not each.command]
    for stage in networks:
        trainer = str(parse(stage.parameters["trainer"]))
        if trainer not in UPSTREAM:
            from ptyrun.training import trainers

            settings = parse(stage.parameters["settings"])
            trainers.require_ready(trainer, settings, is_here=is_here)
        elif is_here:
            from ptyrun.study import upstream_training

            upstream_training.require_package()
    if KIND in [each.kind for each in left]:
        from ptyrun.ptycho.reconstruction import reconstructor

        named = study.options.reconstruction_algorithm
        (reconstructor.require_installed if is_here else reconstructor.find)(named)


def _require_base(found: dict[str, Standing]) -> None:
    """See, before a hub is made, that the base holds what is simulated."""
    to_simulate = {
        each.path
        for standing in found.values()
        if standing.state is State.PENDING and not standing.stage.command
        for each in standing.stage.inputs
        if each.name == BASE
    }
    for path in to_simulate:
        from ptyrun.study.simulating import Base

        try:
            Base.read(path)
        except InputError as error:
            raise error.with_hint(
                "a study simulates from an NPZ with objectGuess, probeGuess, xcoords and ycoords; "
                "`ptyrun convert FILE --to base.npz` writes one from other layouts"
            ) from error


def _require_something_to_begin(found: dict[str, Standing]) -> None:
    left = [each for each in found.values() if each.state is not State.DONE]
    first = [each for each in left if each.state is State.BLOCKED and not each.waits_for]
    if left and all(each.state is State.BLOCKED for each in left):
        raise UsageError(
            f"the stage {first[0].stage.key} cannot be made",
            why=first[0].why,
            do="put the file there, correct its path, or leave the stage out",
        )


def verify(study: Study, session: StudySession, watcher: Watcher) -> int:
    """Summarize and verify the comparisons of a hub, if it has any; give the exit code."""
    if not study.hub.comparison_manifest.exists():
        watcher.note(f"there is no {COMPARISON_MANIFEST}: no comparisons to summarize and verify")
        return ExitCode.COMPLETE
    with Parent() as parent:
        for verb in ("summarize", "verify"):
            code = parent.call(ptyrun_words("study", verb, "--hub", str(study.hub.root)))
            if code or parent.caught:
                return ExitCode.INCOMPLETE if parent.caught else code
    return ExitCode.COMPLETE


def verify_only(study: Study, session: StudySession, scope: Sequence[str] = ()) -> int:
    """Verify a hub, as ``study verify`` does, with the words of a *scope*; give the exit code.

    Raises
    ------
    UsageError
        If the session is also told to set stages aside, or not to verify.
    """
    if session.clobber or session.skip_post_verify:
        raise UsageError(
            "--post-verify-only cannot be combined with --clobber or --skip-post-verify",
            why="it verifies the hub, and does nothing else",
            do="leave one of them out",
        )
    with Parent() as parent:
        words = ptyrun_words("study", "verify", "--hub", str(study.hub.root), *scope)
        code = parent.call(words)
        return ExitCode.INCOMPLETE if parent.caught else code


def drive(study: Study, session: StudySession, line: Sequence[str], watcher: Watcher) -> int:
    """Repeat windows, each in a fresh process, until all stages are done; give the exit code."""
    stages = graph(study).only(session.only)
    # Only the first window sets aside what is there.
    later = [word for word in line if word != CLOBBER]
    commands: Iterator[Sequence[str]] = chain([line], repeat(later))
    goal = goal_of(stages)
    with Parent() as parent:
        words = (ptyrun_words(*each) for each in commands)
        return until_complete(parent, words, goal, watcher).exit_code


def goal_of(stages: Graph) -> Goal:
    """What a row of windows on a study works towards."""
    return Goal(partial(_progress, stages), partial(_is_done, stages))


def _progress(stages: Graph) -> object:
    found = survey(stages)
    pieces = [progress.kept(stages.hub, s.stage, s.facts) for s in found.values()]
    return [each.state for each in found.values()], pieces


def _is_done(stages: Graph) -> bool:
    return all(each.state is State.DONE for each in survey(stages).values())
