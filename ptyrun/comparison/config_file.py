"""How is a comparison given as a file, and how does a run keep the one that it was planned from?

Nothing is believed for standing in such a file: trust in models is said on the command line, and so
is what a session may use. In a run's folder the file is a hint, and ptyrun itself reads it never.
"""

from __future__ import annotations

import os
import secrets
import shlex
import tempfile
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ptyrun.comparison import request
from ptyrun.comparison.command_line import repeating
from ptyrun.comparison.run import Run
from ptyrun.config import OWN_BACKENDS, ArmConfig, CompareConfig, Replanning, SessionOptions
from ptyrun.config.options import Entry, entries, keys, name_of
from ptyrun.config.toml import dumps
from ptyrun.engine import ownership
from ptyrun.engine.manifest import Manifest
from ptyrun.errors import DamageError, IdentityError, InputError, PtyrunError, UsageError, nearest
from ptyrun.host import durable
from ptyrun.host.regular import read_regular
from ptyrun.paths import RunPaths
from ptyrun.texts import printable

MAX_BYTES = 2**20
HEAD = "# The comparison of this run, written by `ptyrun plan`. To repeat it:"
CODE = "# Code that it names (factory, backend of a package) runs only with --trust-model ARM."
TRUST = ("trust_model", "trust_bundle", "unconfined", "adopt")


def configuration(
    given: Mapping[str, Any],
    *,
    trusted: Collection[str] = (),
    trusts_bundles: bool = False,
    new: bool = False,
    dry_run: bool = False,
) -> CompareConfig:
    """Build a comparison from options, and from the file that ``config`` among them names.

    Parameters
    ----------
    given : mapping
        As for `ptyrun.comparison.request.configuration`, and so the rest.
    new : bool
        Whether the run that may be there is set aside, and need not be the user's.
    dry_run : bool
        Whether nothing will be written, and so no place for it needs to be named.

    Raises
    ------
    UsageError
        If words are missing, contradict each other, or come from a file that may not say them.
    IdentityError
        If a file leads to somebody else's run.
    """
    if "config" not in given:
        words = _placed_nowhere(given) if dry_run else given
        return request.configuration(words, trusted=trusted, trusts_bundles=trusts_bundles)
    path = Path(given["config"])
    file = read(path)
    require_trusted_code(file, trusted, path)
    words = merged(file, given)
    words = _placed_nowhere(words) if dry_run else words
    config = request.configuration(words, trusted=trusted, trusts_bundles=trusts_bundles)
    if not new:
        require_own_run(config.output_dir, path)
    return config


def _placed_nowhere(words: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name a folder that is not there, if none is named."""
    nowhere = Path(tempfile.gettempdir()) / f"ptyrun-dry-run-{secrets.token_hex(8)}"
    return {"output_dir": nowhere, **words}


def read(path: Path) -> dict[str, Any]:
    """Read a comparison from a file.

    Returns
    -------
    dict
        Values by the options' names. Relative paths are of the file's folder.

    Raises
    ------
    UsageError
        If it cannot be read, or holds what is not part of a comparison.
    """
    try:
        document = tomllib.loads(read_regular(path.resolve(), MAX_BYTES).decode())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read",
            why=durable.why_unreadable(error),
            do="give a comparison in TOML, like the config.toml that `ptyrun plan` writes",
        ) from error
    names: dict[str, Any] = {}
    for key, value in document.items():
        name = key.replace("-", "_")
        if name in names:
            raise _refusal(path, f"{name} is given twice", "keep one of the two")
        names[name] = value
    known = {name: entry for entry in request.options() for name in _names(entry)}
    for name in names:
        _require_known(name, known, path)
    return {
        name: _arms(value, path) if name == request.ARM else _placed(value, known[name], path)
        for name, value in names.items()
    }


def _names(entry: Entry) -> list[str]:
    if entry.option.switches:
        return [name_of(switch.word) for switch in entry.option.switches]
    return [entry.name]


def _require_known(name: str, known: Mapping[str, Entry], path: Path) -> None:
    if name in known:
        return
    if name in TRUST:
        word = name.replace("_", "-")
        why = "a file may come from anywhere: only the command line grants trust"
        raise _refusal(path, f"a file cannot give {name}", f"use --{word} on the command line", why)
    others = (*entries(SessionOptions), *entries(Replanning))
    if name in {entry.name for entry in others}:
        why = "it is not part of a comparison, but of one call of ptyrun"
        raise _refusal(path, f"{name} belongs on the command line", "leave it out there", why)
    why = f"no option of a comparison is called {name!r}{nearest(name, known)}"
    raise _refusal(path, f"unknown key {name!r}", "correct its name, or leave it out", why)


def _refusal(path: Path, what: str, do: str, why: str = "each key counts once") -> UsageError:
    return UsageError(f"{path}: {what}", why=why, do=do)


def _arms(value: Any, path: Path) -> list[dict[str, Any]]:
    arms = value if isinstance(value, list) else [value]
    known = keys(ArmConfig)
    found = []
    for each in arms:
        if not isinstance(each, str | dict):
            why = f"{each!s:.80} is neither a table nor the text of an --arm"
            raise _refusal(path, "arm must be a list of tables", "write [[arm]] before each", why)
        words = request.arm_words(each) if isinstance(each, str) else each
        found.append(
            {
                key: _placed(each, known[key], path) if key in known else each
                for key, each in words.items()
            }
        )
    return found


def _placed(value: Any, entry: Entry, path: Path) -> Any:
    """Give a path as of the file's folder; any other value as it is."""
    if entry.place is None or not isinstance(value, str) or value in entry.option.named:
        return value
    return str(path.parent / value)


def require_trusted_code(given: Mapping[str, Any], trusted: Collection[str], path: Path) -> None:
    """See that code which a file would have imported is trusted by the user.

    Raises
    ------
    UsageError
        If an arm of the file has a factory or another package's predictor, and is not trusted.
    """
    arms = [request.arm(each) for each in given.get(request.ARM, ())]
    named = {arm.name: (arm.backend, arm.options) for arm in arms}
    named |= {
        entry.role: (given[entry.name], {})
        for entry in request.options()
        if entry.field == "backend" and entry.name in given
    }
    for name, (backend, options) in named.items():
        foreign = f"backend {backend!r}" if backend not in (None, *OWN_BACKENDS) else ""
        code = [
            *([foreign] if foreign else []),
            *(f"{key}={each}" for key, each in options.items()),
        ]
        if code and name not in trusted:
            raise _refusal(
                path,
                f"arm {name} would run code that a file names: {', '.join(code)}",
                f"if you trust it, use --trust-model {name} on the command line",
                "a file may come from anywhere: only the command line grants trust",
            )


def merged(file: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the words of a command line over those of a file; an arm replaces the one of its name."""
    found = {**file, **{name: each for name, each in line.items() if name != request.ARM}}
    for entry in request.options():
        switches = _names(entry)
        if entry.option.switches and any(name in line for name in switches):
            found = {name: each for name, each in found.items() if name not in switches}
            found |= {name: line[name] for name in switches if name in line}
    further = {request.arm(each).name: each for each in line.get(request.ARM, ())}
    kept = [each for each in file.get(request.ARM, ()) if each.get("name") not in further]
    if arms := [*kept, *line.get(request.ARM, ())]:
        found[request.ARM] = arms
    return found


def require_own_run(output_dir: Path, path: Path) -> None:
    """See that a run which a file leads to is the user's, where it asks for more than files.

    Raises
    ------
    IdentityError
        If it was planned by somebody else: the file's words are no word of the user.
    """
    run = Run(output_dir)
    try:
        if not run.paths.manifest.exists():
            return
        manifest = run.manifest
    except (OSError, DamageError):  # told where the run is planned
        return
    try:
        ownership.require_own(manifest, run.paths, adopt=False)
    except IdentityError as error:
        raise error.with_hint(
            f"{path} is not your command: `ptyrun run {shlex.quote(str(output_dir))} --adopt`"
        ) from error


def keep(paths: RunPaths, manifest: Manifest) -> str | None:
    """Write the comparison of *manifest* into its run's folder: a hint, which nothing waits for.

    A file of that name that is not of ptyrun's making is left alone.

    Returns
    -------
    str or None
        Why none can be written, where a person should know.
    """
    path = paths.config
    with suppress(OSError, PtyrunError):
        if os.path.lexists(path) and not _is_own(path):
            return None
        try:
            # The folder may move: it is the file's own.
            text = dumps(repeating(manifest, Path()))
        except UnicodeEncodeError as error:
            path.unlink(missing_ok=True)
            return (
                f"{path.name} is not written: TOML is UTF-8, and the name of a file is not: "
                f"{printable(str(error.object))}"
            )
        command = "#   ptyrun compare --config config.toml [--output-dir ANOTHER] [other options]"
        data = f"{HEAD}\n{command}\n{CODE}\n{text}".encode()
        if not os.path.lexists(path) or read_regular(path, MAX_BYTES) != data:
            durable.write_hint(path, data)
    return None


def _is_own(path: Path) -> bool:
    return read_regular(path, MAX_BYTES).startswith(HEAD.encode())
