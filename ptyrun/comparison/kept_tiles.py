"""How are the sums that figures add up from kept for a later window?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ptyrun.comparison.kept import Finding
from ptyrun.ptycho.metrics.tiles import Tiles

_PREFIX = "tiles "


def with_tiles(found: Finding, tiles: Tiles | None) -> Finding:
    """Add them to what is kept."""
    if tiles is None:
        return Finding({**found.facts, "tiles": None}, found.arrays)
    facts = {"tile_px": tiles.tile_px, "ranges": dict(tiles.ranges)}
    arrays: Mapping[str, NDArray[Any]] = {
        f"{_PREFIX}{name}": sums for name, sums in tiles.sums.items()
    }
    return Finding({**found.facts, "tiles": facts}, {**found.arrays, **arrays})


def tiles_of(found: Finding) -> Tiles | None:
    """Read back what :func:`with_tiles` added."""
    facts = found.facts["tiles"]
    if facts is None:
        return None
    sums = {
        name.removeprefix(_PREFIX): values
        for name, values in found.arrays.items()
        if name.startswith(_PREFIX)
    }
    return Tiles(sums, int(facts["tile_px"]), dict(facts["ranges"]))
