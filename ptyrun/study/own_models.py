"""Which networks did this user's own studies train here? They may run without further word.

Told by content, in the user's own cache: no session believes what a hub says of itself, since a
hub may come from anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ptyrun.host.remembered import Remembered
from ptyrun.study.stage import Stage

_KINDS = ("train-pinn", "train-baseline")


def note(stage: Stage, outputs: Mapping[str, str]) -> None:
    """Remember what a stage of ptyrun's own has just trained, by SHA-256."""
    if stage.kind in _KINDS and not stage.command:
        own = Remembered("trained")
        for digest in outputs.values():
            own.add(digest)


def are_own(digests: Iterable[str]) -> bool:
    """Whether files of these SHA-256 were all trained here, by this user."""
    own = Remembered("trained")
    return all(own.holds(digest) for digest in digests)
