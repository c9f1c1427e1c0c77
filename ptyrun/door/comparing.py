"""How is a comparison planned, or made, by one call?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Literal, Unpack, overload

from ptyrun.comparison import config_file, request
from ptyrun.config import CompareConfig, Replanning
from ptyrun.config.options import Entry, name_of
from ptyrun.door import all_stages
from ptyrun.door.all_stages import Outcome
from ptyrun.door.run import Run
from ptyrun.door.session import (
    REPLANNING,
    SESSION,
    plain,
    replanning,
    require_known,
    session_options,
)
from ptyrun.door.watching import call
from ptyrun.door.words import CompareWords, Duration, PlanWords
from ptyrun.engine.manifest import Manifest
from ptyrun.progress import Watcher
from ptyrun.stages.status import Status

TRUST, CONFIG = "trust_model", "config"


@overload
def plan(*, dry_run: Literal[False] = ..., **options: Unpack[PlanWords]) -> Run: ...


@overload
def plan(*, dry_run: Literal[True], **options: Unpack[PlanWords]) -> Status: ...


def plan(*, dry_run: bool = False, **options: Unpack[PlanWords]) -> Run | Status:
    """Check every input and write what will be computed; compute nothing.

    Parameters
    ----------
    dry_run : bool
        Write nothing; say what would be computed, and how far a run that is there is with it.
    **options
        As ``ptyrun plan`` has them, with the same defaults: ``test_data`` (the scan) and
        ``output_dir`` are needed, and something to compare: ``pinn_dir``, ``baseline_dir``,
        ``tike_recon_path``, or ``arm``, a list of dicts or of texts ``"name=...,path=..."``.
        ``config`` names a TOML file with a comparison; what is given here wins. None is as
        configured.

    Returns
    -------
    Run, or Status where nothing is written
        Called again with the same options it is the run that is there.

    Raises
    ------
    UsageError, InputError, ModelError
        If an option or an input cannot be used; found before anything is written.
    IdentityError
        If another comparison was planned in ``output_dir``.
    BusyError
        If a session works on a run that would be replaced.

    Examples
    --------
    >>> run = plan(
    ...     test_data=example.scan,
    ...     output_dir=example.folder.parent / "planned",
    ...     tike_recon_path=example.reconstructions[0],
    ... )
    >>> run.arms, run.status().state.value
    (('reconstruction',), 'complete')
    """
    given: dict[str, Any] = dict(options)
    require_known(given, _known(_PLAN, CONFIG))
    again = replanning({name: given[name] for name in REPLANNING if name in given})
    config = _configuration(given, new=again.new, dry_run=dry_run)
    with call() as watcher:
        _, found = planned(config, again, watcher, dry_run=dry_run)
    return found if dry_run else Run(config.output_dir.absolute())


def planned(
    config: CompareConfig, again: Replanning, watcher: Watcher, *, dry_run: bool = False
) -> tuple[Manifest, Status]:
    """Plan, take over chunks of other runs, and say how far the run then is."""
    from ptyrun.stages import plan as stage
    from ptyrun.stages import status

    if again.reuse:
        from ptyrun.stages.reuse import require_sources

        require_sources(config.output_dir, again.reuse)
    if dry_run:
        manifest = stage.check(config, watcher, new=again.new)
        return manifest, status.foreseen(config.output_dir, manifest, new=again.new)
    made = stage.plan(config, new=again.new, invalidate=again.invalidate, watcher=watcher)
    if again.reuse:
        from ptyrun.stages.reuse import reuse as take_over

        take_over(config.output_dir, again.reuse, watcher=watcher)
    return made.manifest, status.status(config.output_dir)


def compare(*, window: Duration = None, **options: Unpack[CompareWords]) -> Outcome:
    """Plan, run, finalize and report; called again, go on where the last call stopped.

    Parameters
    ----------
    window : float or str, optional
        Wall time this call may use: seconds, or text like ``"170s"``.
    **options
        As ``ptyrun compare`` has them, with the same defaults: those of `plan`, and
        ``max_chunks``, ``only_arm``, ``shared_folder``, ``device_wait``, ``lock_cpu``,
        ``workers``, ``dask``, ``require_debug``, ``unconfined``.

    Returns
    -------
    Outcome
        ``stop`` is `ExitCode.COMPLETE`, or INCOMPLETE where work remains; ``results`` is None
        until all chunks are there; ``run`` says what this session did.

    Raises
    ------
    PtyrunError
        As `plan`, `Run.run`, `Run.finalize` and `Run.report` do.

    Examples
    --------
    >>> outcome = compare(
    ...     test_data=example.scan,
    ...     output_dir=example.folder.parent / "compared",
    ...     tike_recon_path=example.reconstructions[0],
    ... )
    >>> outcome.stop.name, [*outcome.results.arms]
    ('COMPLETE', ['reconstruction'])
    """
    given: dict[str, Any] = dict(options)
    require_known(given, _known((*_PLAN, *_SESSION), CONFIG))
    bounds = {name: given.pop(name) for name in _known(_SESSION) if name in given}
    again = replanning({name: given[name] for name in REPLANNING if name in given})
    with call() as watcher:
        session = session_options(window, {**bounds, TRUST: given.get(TRUST)})
        config = _configuration(given, new=again.new)
        return all_stages.compare(
            config,
            session,
            new=again.new,
            invalidate=again.invalidate,
            reuse=again.reuse,
            watcher=watcher,
        )


def _configuration(given: Mapping[str, Any], *, new: bool, dry_run: bool = False) -> CompareConfig:
    said = {name: each for name, each in plain(given).items() if name not in REPLANNING}
    return config_file.configuration(said, trusted=said.pop(TRUST, ()), new=new, dry_run=dry_run)


_PLAN = (*request.options(), SESSION[TRUST], *REPLANNING.values())
_SESSION = tuple(e for name, e in SESSION.items() if name not in ("window", TRUST, "adopt"))


def _names(entry: Entry) -> list[str]:
    if entry.option.switches:
        return [name_of(switch.word) for switch in entry.option.switches]
    return [entry.name]


def _known(options: tuple[Entry, ...], *others: str) -> list[str]:
    return [*others, *chain.from_iterable(map(_names, options))]


def _signed(function: Callable[..., Any], options: tuple[Entry, ...], **others: Any) -> None:
    """Let ``help`` and completion show each option with its default."""
    defaults: dict[str, Any] = {CONFIG: None, **others}
    for entry in options:
        is_switch = bool(entry.option.switches)
        defaults |= dict.fromkeys(_names(entry), False if is_switch else entry.default)
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(name, keyword, default=d) for name, d in defaults.items()]
    returns = inspect.signature(function).return_annotation
    signature = inspect.Signature(parameters, return_annotation=returns)
    function.__signature__ = signature  # type: ignore[attr-defined]


_signed(plan, _PLAN, dry_run=False)
_signed(compare, (*_PLAN, *_SESSION), window=None)
