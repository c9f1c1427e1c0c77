"""Which study is asked for? By words, by a file, and by what its hub was given before."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptyrun.config.options import entries
from ptyrun.config.study import StudyOptions
from ptyrun.errors import UsageError
from ptyrun.study import identity
from ptyrun.study.config_file import StudyFile, options_of
from ptyrun.study.hub import Hub
from ptyrun.study.plan import Study

HERE = Path("study.toml")


def study_asked(
    given: Mapping[str, Any], config: Path | None, *, runs: bool = False, is_told_all: bool = False
) -> Study:
    """Give the study that words and files ask for.

    What the line says counts most, then the file, then what the hub was last given.

    Parameters
    ----------
    given : mapping
        Values by the options' names.
    config : Path, optional
        A study.toml; without it, the one in the hub, or here where no hub is named.
    runs : bool
        Whether its commands will run: then a file that has some must have been named.
    is_told_all : bool
        Whether nothing of what the hub was given before counts.

    Raises
    ------
    UsageError
        If something of it cannot be, or there is no hub.
    IdentityError
        If the hub belongs to another study.
    """
    found = config or _lying(given)
    file = None if found is None else StudyFile(found)
    if file is not None and file.stages and runs and config is None:
        raise UsageError(
            f"{found} would run commands, but was not given with --config",
            why="a hub may come from anywhere: only the command line says which commands run",
            do=f"if you trust it, use --config {found}",
        )
    said = {**(file.options if file else {}), **given}
    _require_folder(said)
    if "hub" in said and not is_told_all:
        before = identity.of_hub(Hub(Path(said["hub"])))
        said = {**(before.given() if before else {}), **said}
    options = options_of(said)
    options = identity.named(options, Hub(options.hub))
    return Study(options, file.stages if file else ())


def _require_folder(said: Mapping[str, Any]) -> None:
    if "hub" in said and os.path.lexists(said["hub"]) and not Path(said["hub"]).is_dir():
        raise UsageError(
            f"{said['hub']} is not a folder", why="a hub is a folder", do="give another --hub"
        )


def _lying(given: Mapping[str, Any]) -> Path | None:
    place = Hub(Path(given["hub"])).config if "hub" in given else HERE
    return place if place.is_file() else None


def words_of_stage(
    study: Study, config: Path | None, key: str, left_s: float, *, trusted: Sequence[str] = ()
) -> Sequence[str]:
    """Give what ptyrun is told to make one stage of *study*, in a process of its own."""
    within = [] if left_s == float("inf") else ["--within", f"{left_s:.2f}"]
    words = words_of_study(study, config)
    trust = [word for arm in trusted for word in ("--trust-model", arm)]
    return ("study", "stage", key, *words, *trust, "--told-all", *within)


def words_of_study(study: Study, config: Path | None) -> list[str]:
    """Spell a study so that another process, in any folder, makes the same."""
    words = [] if config is None else ["--config", str(config.absolute())]
    for entry in entries(StudyOptions):
        value = getattr(study.options, entry.field)
        if isinstance(value, Path):
            value = value.absolute()
        if value is not None:
            words += replace(entry, default=object()).words(value)
    return words
