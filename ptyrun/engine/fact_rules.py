"""May the facts of a manifest be used as they are?

Facts that ptyrun knows have the types and values that a plan writes; others are held to their size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from ptyrun.config import Compression, EvaluationOptions, Fact, Presentation, Selection
from ptyrun.host.typed_json import build

MAX_FACTS = 10_000
MAX_TEXT = 2**16
MAX_GRIDSIZE = 256
MAX_NUMBER = 2**31 - 1

_Rule = Callable[[Fact], bool]


def _number(low: int, high: int = MAX_NUMBER) -> _Rule:
    return lambda fact: type(fact) is int and low <= fact <= high


def _optional(rule: _Rule) -> _Rule:
    return lambda fact: fact is None or rule(fact)


def _one_of(*values: Fact) -> _Rule:
    return lambda fact: any(type(fact) is type(value) and fact == value for value in values)


def _is_text(fact: Fact) -> bool:
    return isinstance(fact, str)


def _is_path(fact: Fact) -> bool:
    try:
        return isinstance(fact, str) and "\0" not in fact and bool(os.fsencode(fact))
    except UnicodeEncodeError:
        return False


def _is_place(fact: Fact) -> bool:
    """Whether it is a path as a plan writes it: resolved, so that it leads to no folder above."""
    return _is_path(fact) and ".." not in Path(str(fact)).parts


_OF_ALL_ARMS: Final[Mapping[str, _Rule]] = {
    "scan_sha256": _is_text,
    "groups_sha256": _optional(_is_text),
    "selection_gridsize": _number(1, MAX_GRIDSIZE),
    "diffraction_kind": _one_of(None, "amplitude", "intensity"),
    "neighbor_count": _number(1),
    "stitch_crop_px": _number(1),
    "ground_truth": _one_of("objectGuess", "none", "file"),
    "ground_truth_sha256": _is_text,
    "compression": _one_of(*(each.value for each in Compression)),
}
_OF_AN_ARM: Final[Mapping[str, _Rule]] = {
    "weights_sha256": _is_text,
    "reconstruction_sha256": _is_text,
    "backend": _is_text,
    "framework": _is_text,
    "gridsize": _number(1, MAX_GRIDSIZE),
    "batch_groups": _number(1),
    "limit_groups": _optional(_number(1)),
}
_OF_SOURCES: Final[Mapping[str, _Rule]] = {
    "scan": _is_place,
    "groups_from": _optional(_is_place),
    "ground_truth": _optional(_is_place),
    "follow_links": _is_place,
    "frames_without_signal": _is_text,
    "baseline_debug_dir": _optional(_is_path),
}
_PLACES = ("arm.", "scan_file.")


def check_shared(facts: Mapping[str, Fact]) -> None:
    """See that what all arms share can have been planned.

    Raises
    ------
    ValueError
        If it cannot; the message names what. So for the other checks.
    """
    where = "shared"
    _check_sizes(where, facts)
    _check_rules(where, facts, _OF_ALL_ARMS)
    _check_settings(where, facts, Selection)
    _check_settings(where, facts, EvaluationOptions)


def check_sources(facts: Mapping[str, Fact]) -> None:
    """See that sources can have been planned."""
    where = "sources"
    _check_sizes(where, facts)
    arms = {name: _is_place for name in facts if name.startswith(_PLACES)}
    _check_rules(where, facts, {**_OF_SOURCES, **arms})
    _check_settings(where, facts, Presentation)


def check_arm(name: str, facts: Mapping[str, Fact]) -> None:
    """See that the facts of the arm called *name* can have been planned."""
    where = f"facts of arm {name}"
    _check_sizes(where, facts)
    _check_rules(where, facts, _OF_AN_ARM)


def _check_sizes(where: str, facts: Mapping[str, Fact]) -> None:
    if len(facts) > MAX_FACTS:
        raise ValueError(f"{where}: {len(facts)} entries")
    for name, value in facts.items():
        if len(name) > MAX_TEXT or (isinstance(value, str) and len(value) > MAX_TEXT):
            raise ValueError(f"{where}: an entry has more than {MAX_TEXT} characters")
        if isinstance(value, int) and value.bit_length() > 64:
            raise ValueError(f"{where}: {name!r} is a number beyond 64 bits")


def _check_rules(where: str, facts: Mapping[str, Fact], rules: Mapping[str, _Rule]) -> None:
    for name, rule in rules.items():
        if name in facts and not rule(facts[name]):
            raise ValueError(f"{where}: {name} is {facts[name]!r:.80}, which no plan writes")


def _check_settings(where: str, facts: Mapping[str, Fact], kind: type[Any]) -> None:
    build(
        kind,
        {entry.name: facts[entry.name] for entry in fields(kind) if entry.name in facts},
        where,
    )
