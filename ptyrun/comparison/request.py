"""Which comparison do given options describe?"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import Any

from ptyrun.config import (
    ARM_WORDS,
    ROLES,
    ArmConfig,
    ArmKind,
    CompareConfig,
    EvaluationOptions,
    Presentation,
    Selection,
)
from ptyrun.config.options import Entry, entries, gather, keys
from ptyrun.errors import ModelError, UsageError, nearest, refuse_unknown
from ptyrun.models.files import locate
from ptyrun.models.kinds import ModelKind

ARM = "arm"
RECONSTRUCTION = "reconstruction"
# Their values may hold commas: what follows one without KEY= belongs to the value before it.
_WITH_COMMAS = ("path", RECONSTRUCTION, "label")
_KEY = re.compile(r"\s*[A-Za-z_][\w.-]*\s*")


@cache
def options() -> tuple[Entry, ...]:
    """Give every option that describes a comparison; none says what a session may do."""
    tables = (CompareConfig, ArmConfig, Selection, EvaluationOptions, Presentation)
    return tuple(chain.from_iterable(entries(table, *ROLES) for table in tables))


def configuration(
    given: Mapping[str, Any], *, trusted: Collection[str] = (), trusts_bundles: bool = False
) -> CompareConfig:
    """Build the configuration of a comparison.

    Parameters
    ----------
    given : mapping
        Values by the options' names; what is absent is as configured. Each of ``arm`` is the text
        of one ``--arm``, or its keys and values.
    trusted : collection of str
        Arms whose models may run code of their own.
    trusts_bundles : bool
        Whether all those may that are bundles.

    Raises
    ------
    UsageError
        If something is missing, contradicts itself, or cannot be read.
    """
    for entry in entries(CompareConfig):
        if entry.is_required and entry.name != ARM and entry.name not in given:
            raise UsageError(
                f"{entry.word.replace('_', '-')} is missing",
                why=f"a comparison needs it: {entry.help.rstrip('.').lower()}",
                do=f"give {entry.word.replace('_', '-')}, here or in the file that --config names",
            )
    arms = _arms(given)
    names = [arm.name for arm in arms]
    refuse_unknown(trusted, names, "--trust-model {1}: there is no such arm")
    shared = gather(CompareConfig, {name: each for name, each in given.items() if name != ARM})
    return CompareConfig(
        **shared,
        arms=tuple(
            replace(arm, trusted=arm.name in trusted or (trusts_bundles and _is_bundle(arm)))
            for arm in arms
        ),
        selection=Selection(**gather(Selection, given)),
        evaluation=EvaluationOptions(**gather(EvaluationOptions, given)),
        presentation=Presentation(**gather(Presentation, given)),
    )


def _arms(given: Mapping[str, Any]) -> list[ArmConfig]:
    arms = []
    for role, label in ROLES.items():
        settings = gather(ArmConfig, given, role)
        if "path" in settings:
            kind = ArmKind.RECONSTRUCTION if role == RECONSTRUCTION else ArmKind.PREDICTOR
            arms.append(ArmConfig(name=role, label=label, kind=kind, **settings))
    arms += [arm(each) for each in given.get(ARM, ())]
    if not arms:
        raise UsageError(
            "there is nothing to compare",
            why="none of --pinn-dir, --baseline-dir, --tike-recon-path and --arm is given",
            do="name at least one arm",
        )
    return arms


def _is_bundle(arm: ArmConfig) -> bool:
    if arm.kind is not ArmKind.PREDICTOR:
        return False
    try:
        return locate(arm.path).kind in (ModelKind.BUNDLE, ModelKind.TORCH_BUNDLE)
    except ModelError:  # told where arms are looked at
        return False


def arm(given: str | Mapping[str, Any]) -> ArmConfig:
    """Read one ``--arm``: its text, or its keys and values.

    Raises
    ------
    UsageError
        If it says too little, or what cannot be read.

    Examples
    --------
    >>> arm("name=unet,path=8,8 keV/unet.keras,batch=16").path.as_posix()
    '8,8 keV/unet.keras'
    """
    words = arm_words(given) if isinstance(given, str) else dict(given)
    known = keys(ArmConfig)
    unknown = [word for word in words if word not in ARM_WORDS]
    meant = [f"{word!r} is not a key{nearest(word, ARM_WORDS)}" for word in unknown]
    if "name" not in words:
        raise _bad_arm(given, "; ".join(["it needs name=...", *meant]))
    if ("path" in words) == (RECONSTRUCTION in words):
        needs = "it needs either path=... or reconstruction=..."
        raise _bad_arm(given, "; ".join([needs, *meant]))
    if unknown and RECONSTRUCTION in words:
        raise _bad_arm(given, "; ".join(meant))
    settings = {
        known[word].field: _read(known[word], each, given)
        for word, each in words.items()
        if word in known
    }
    if RECONSTRUCTION in words:
        return ArmConfig(**{"label": "", **settings, "kind": ArmKind.RECONSTRUCTION})
    more = {word: str(each) for word, each in words.items() if word not in known}
    return ArmConfig(**{"label": words["name"], **settings, "options": more})


def _read(entry: Entry, value: Any, given: str | Mapping[str, Any]) -> Any:
    if entry.kind is int and isinstance(value, str) and value not in entry.option.named:
        try:
            value = int(value)
        except ValueError as error:
            raise _bad_arm(given, f"{entry.word} must be an integer, not {value!r}") from error
    return entry.read(value)


def arm_words(text: str) -> dict[str, str]:
    """Split the text of one ``--arm`` into its keys and values.

    Raises
    ------
    UsageError
        If a part is no KEY=VALUE, or a key comes twice.
    """
    words: dict[str, str] = {}
    last = ""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals and _KEY.fullmatch(key):
            last = key.strip()
            if last in words:
                raise _bad_arm(text, f"{last}= comes twice")
            words[last] = value.strip()
        elif last in _WITH_COMMAS:
            words[last] = f"{words[last]},{part}".rstrip()
        else:
            raise _bad_arm(text, "it needs name=... and parts KEY=VALUE, each key once")
    return words


def _bad_arm(given: str | Mapping[str, Any], why: str) -> UsageError:
    shown = given if isinstance(given, str) else ",".join(f"{k}={v}" for k, v in given.items())
    return UsageError(
        f"--arm {shown!r} cannot be read",
        why=why,
        do="write it like name=unet,path=models/unet.keras,gridsize=1,batch=16 or "
        "name=tike,reconstruction=tike.npz",
    )
