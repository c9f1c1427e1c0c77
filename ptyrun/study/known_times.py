"""How long does a stage take, as far as anything tells?"""

from __future__ import annotations

from collections.abc import Mapping

from ptyrun.engine.window import SLACK
from ptyrun.study.record import Record
from ptyrun.study.state import Standing


def was_cut(standing: Standing) -> bool:
    """Whether a window cut it off."""
    attempt = standing.attempt
    return attempt is not None and attempt.cut_after_s is not None


def known_s(standing: Standing, standings: Mapping[str, Standing]) -> float:
    """How long a stage takes, as far as anything tells: its like, or a window that cut it off."""
    like: list[Record] = [
        each.record
        for each in standings.values()
        if each.stage.kind == standing.stage.kind and each.record is not None
    ]
    own = standing.record
    known = [own.duration_s] if own is not None else [record.duration_s for record in like]
    return max(cut_s(standing), max(known, default=0.0))


def cut_s(standing: Standing) -> float:
    """What a stage, or its next step, takes at least: a window cut it off, or it said so."""
    attempt = standing.attempt
    if attempt is None or attempt.facts != standing.facts or not attempt.cut_after_s:
        return 0.0
    return SLACK * attempt.cut_after_s
