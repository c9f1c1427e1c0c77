"""What does a file hold, how would ptyrun read it, and what does it doubt?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ptyrun.errors import PtyrunError
from ptyrun.ptycho.consistency.spacing import median_step_px
from ptyrun.ptycho.consistency.verdict import truth_doubts
from ptyrun.ptycho.readers.detector import sampled
from ptyrun.ptycho.readers.finished import PTYCHI
from ptyrun.ptycho.readers.frame_sources import ChosenFrames
from ptyrun.ptycho.readers.opening import open_scan
from ptyrun.ptycho.readers.reconstruction import Reconstruction, open_reconstruction
from ptyrun.ptycho.readers.registry import card_of
from ptyrun.ptycho.readers.scan import Scan


@dataclass(frozen=True)
class Part:
    """A scan or a reconstruction that was found: facts by name, what was assumed, what is doubted.

    Facts carry their unit in their name.
    """

    kind: str
    reader: str
    layout: str
    facts: dict[str, Any]
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """What a file holds; ``refusals`` say why it is read as nothing, or as only one thing."""

    path: Path
    parts: tuple[Part, ...]
    refusals: tuple[PtyrunError, ...]


def inspect_file(path: Path, diffraction_kind: str | None = None) -> Inspection:
    """Open a file as a scan and as a reconstruction, and look; nothing is written.

    Parameters
    ----------
    path : Path
    diffraction_kind : {"amplitude", "intensity"}, optional
        What frames are, where the file does not tell.
    """
    parts, refusals = [], []
    looks: tuple[Callable[[], Part], ...] = (
        lambda: _scan(open_scan(path, diffraction_kind)),
        lambda: _reconstruction(open_reconstruction(path)),
    )
    for look in looks:
        try:
            parts.append(look())
        except PtyrunError as error:
            refusals.append(error)
    return Inspection(path, tuple(parts), tuple(refusals))


def _scan(scan: Scan) -> Part:
    low, high = scan.positions_px.min(axis=0), scan.positions_px.max(axis=0)
    card = card_of(scan.reader)
    guess = scan.object_guess
    facts = {
        "frames": scan.n_frames,
        "frame_px": scan.patch_px,
        "frame_type": str(scan.source.read(np.array([0])).dtype),
        "frames_are": "intensity" if scan.intensity else "amplitude",
        "positions_y_px": [float(low[0]), float(high[0])],
        "positions_x_px": [float(low[1]), float(high[1])],
        "median_step_px": median_step_px(scan),
        "stored_units": card.units if card else None,
        "probe_modes": _count(scan),
        "bad_pixels": 0 if scan.bad_pixels is None else int(scan.bad_pixels.sum()),
        "energy_ev": scan.energy_ev,
        "distance_m": scan.distance_m,
        "pixel_size_m": scan.pixel_size_m,
        "near_field": scan.near_field,
        "object_px": None if guess is None else list(guess.shape),
        "object_is": None if guess is None else scan.object_role,
        "entry": scan.entry or None,
    }
    doubts = tuple(dict.fromkeys((*scan.doubts, *truth_doubts(scan), *_unusable(scan))))
    layout = card.layout if card else scan.reader
    return Part("scan", scan.reader, layout, facts, scan.notes, doubts)


def _unusable(scan: Scan) -> tuple[str, ...]:
    """Say what is wrong with eight frames spread over the scan; a run looks at all of them."""
    looked_at = sampled(scan.n_frames)
    few = replace(
        scan,
        positions_px=scan.positions_px[looked_at],
        source=ChosenFrames(scan.source, looked_at),
        surveyed=None,
    )
    try:
        survey = few.survey
    except PtyrunError as error:
        return (f"{error.what}, by {len(looked_at)} frames looked at: {error.why}",)
    dark = len(survey.dark)
    return (f"{dark} of {len(looked_at)} frames looked at hold no signal",) if dark else ()


def _reconstruction(found: Reconstruction) -> Part:
    card = card_of(found.reader)
    facts = {
        "object_px": list(found.object.shape),
        "label": None if found.algorithm is None and found.label == PTYCHI else found.label,
        "algorithm": found.algorithm,
        "probe_modes": _count(found),
        "pixel_size_m": found.pixel_size_m,
        "computation_time_s": found.computation_time_s,
    }
    layout = card.layout if card else found.reader
    return Part("reconstruction", found.reader, layout, facts, found.notes, ())


def _count(found: Scan | Reconstruction) -> int:
    modes = found.probe_modes
    return 0 if modes is None else len(modes)
