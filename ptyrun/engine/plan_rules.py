"""May the names, types and counts of a manifest be used as they are?

A run's folder may come from anybody, and its checksums prove only that nothing was changed by
chance. Names become paths, counts become memory: both are held to what a plan can write.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from ptyrun.config import Fact
from ptyrun.engine import fact_rules
from ptyrun.engine.arm_plan import ArmPlan
from ptyrun.texts import is_plain

# Folders of a run beside those of arms, and what results call the object of the scan.
RESERVED_ARMS: Final = frozenset({"index", "ground_truth", "objectGuess"})
MAX_ARMS = 1000
MAX_ITEMS = 10**9
MAX_CHUNKS = 10**8  # of all arms; each takes 13 bytes of memory in every command
MAX_ITEM_SIDE = 2**16
MAX_ITEM_AXES = 4
MAX_ITEM_BYTES = 2**31 - 1
MAX_LABEL = 200
MAX_NAME = 100
_ARM = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_ARRAY = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+){1,3}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ITEMSIZE = {"complex64": 8, "complex128": 16, "float32": 4, "float64": 8}


def is_arm_name(name: str) -> bool:
    """Tell whether an arm may be called *name*, which becomes its folder."""
    return _ARM.fullmatch(name) is not None and len(name) <= MAX_NAME and name not in RESERVED_ARMS


def is_label(label: str) -> bool:
    """Tell whether an arm may be called *label* in tables and on terminals."""
    return is_plain(label) and len(label) <= MAX_LABEL


def check(arms: Sequence[ArmPlan], shared: Mapping[str, Fact], sources: Mapping[str, Fact]) -> None:
    """See that a manifest of these is one that a plan can have written.

    Raises
    ------
    ValueError
        If it is not; the message names what.
    """
    if len(arms) > MAX_ARMS:
        raise ValueError(f"it has {len(arms)} arms, at most {MAX_ARMS} can be planned")
    for arm in arms:
        _check_arm(arm)
    n_chunks = sum(arm.n_chunks for arm in arms)
    if n_chunks > MAX_CHUNKS:
        raise ValueError(f"it has {n_chunks} chunks, at most {MAX_CHUNKS} can be planned")
    fact_rules.check_shared(shared)
    fact_rules.check_sources(sources)


def _check_arm(arm: ArmPlan) -> None:
    if not is_arm_name(arm.name):
        raise ValueError(f"no arm can be called {arm.name!r}: arms are letters, digits, - and _")
    if not is_label(arm.label):
        raise ValueError(f"the label of arm {arm.name} is too long or has control characters")
    if not 0 <= arm.n_items <= MAX_ITEMS or not 0 <= arm.chunk_items <= MAX_ITEMS:
        raise ValueError(
            f"arm {arm.name} has {arm.n_items} items in chunks of {arm.chunk_items}, "
            f"at most {MAX_ITEMS} can be planned"
        )
    if arm.dtype not in _ITEMSIZE:
        raise ValueError(f"the outputs of arm {arm.name} are {arm.dtype!r}")
    _check_shape(arm)
    fact_rules.check_arm(arm.name, arm.facts)
    for path, digest in arm.index_sha256.items():
        if arm.name not in path.split("/") or not _ARRAY.fullmatch(path):
            raise ValueError(f"arm {arm.name} names an array {path!r}")
        if not _SHA256.fullmatch(digest):
            raise ValueError(f"arm {arm.name} names no digest of its array {path!r}")


def _check_shape(arm: ArmPlan) -> None:
    sides = all(0 < side <= MAX_ITEM_SIDE for side in arm.item_shape)
    item_bytes = math.prod(arm.item_shape) * _ITEMSIZE[arm.dtype]
    if not sides or len(arm.item_shape) > MAX_ITEM_AXES or item_bytes > MAX_ITEM_BYTES:
        raise ValueError(f"an item of arm {arm.name} has the shape {arm.item_shape}")
