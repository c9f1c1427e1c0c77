"""Which profiles along the line are drawn, and which edge widths stand beside them?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ptyrun.comparison.lines import REFERENCE
from ptyrun.report.curves import Curve, PlotGroup
from ptyrun.report.empty import UNKNOWN
from ptyrun.report.long_table import EDGE_SOURCE
from ptyrun.report.profiles import LineSection, profiles
from ptyrun.report.tables import Cell, Table, TableRow
from ptyrun.results import LineProfile, LineResult, Results

N_STYLES = 8
_UNITS = {"amplitude": "amplitude", "phase": "phase (rad)"}


def line_section(
    results: Results, reference: str, pixel_size_m: float | None
) -> LineSection | None:
    """Draw amplitude and phase of each arm and of the reference along the line; None without one.

    Parameters
    ----------
    results : Results
    reference : str
        What arms are held against is called.
    pixel_size_m : float or None
        Object pixel; then lengths are in nm as well.
    """
    line = results.line
    if line is None:
        return None
    nm_per_px = None if pixel_size_m is None else 1e9 * pixel_size_m
    names = [name for name in (REFERENCE, *results.arms) if name in line.profiles]
    labels = {name: arm.label for name, arm in results.arms.items()} | {REFERENCE: reference}
    y0, x0, y1, x1 = line.ends_px
    heading = f"From y {y0:g}, x {x0:g} to y {y1:g}, x {x1:g} px"
    plots = tuple(
        profiles(
            name=f"line-{quantity}",
            title=quantity.capitalize(),
            alt=f"{quantity.capitalize()} of {', '.join(labels[name] for name in names)} along "
            "the line",
            y_label=unit,
            curves=list(_curves(results, line, names, labels, quantity)),
            length_px=float(np.hypot(y1 - y0, x1 - x0)),
            nm_per_px=nm_per_px,
        )
        for quantity, unit in _UNITS.items()
    )
    table = _widths(line, names, labels, nm_per_px)
    return LineSection(PlotGroup(heading, plots), table)


def _curves(
    results: Results, line: LineResult, names: list[str], labels: dict[str, str], quantity: str
) -> Iterator[Curve]:
    """One for each stretch that is known: what lies between is not drawn."""
    arms = list(results.arms)
    for name in names:
        y = values_of(line.profiles[name], quantity)
        x = np.arange(len(y), dtype=np.float64)
        css = "reference" if name == REFERENCE else f"c{arms.index(name) % N_STYLES}"
        known = np.isfinite(y)
        ends = np.flatnonzero(np.diff(known, prepend=False, append=False)).reshape(-1, 2)
        for first, last in ends.tolist():
            yield Curve(labels[name], css, x[first:last], y[first:last])


def values_of(profile: LineProfile, quantity: str) -> NDArray[np.float64]:
    """Amplitude or phase along the line (k,); NaN where it is not known."""
    values = profile.amplitude if quantity == "amplitude" else profile.phase
    return np.array([np.nan if each is None else each for each in values], np.float64)


def _widths(
    line: LineResult, names: list[str], labels: dict[str, str], nm_per_px: float | None
) -> Table:
    reasons: list[str] = []
    rows = []
    for quantity in _UNITS:
        cells = []
        for name in names:
            profile = line.profiles[name]
            width_px = getattr(profile, f"{quantity}_edge_px")
            why = getattr(profile, f"{quantity}_why_none")
            if width_px is None and why and why not in reasons:
                reasons.append(why)
            note = reasons.index(why) + 1 if width_px is None and why else None
            cells.append(Cell(_width(width_px, nm_per_px), note=note))
        rows.append(TableRow("Edge width", quantity, "", tuple(cells)))
    return Table(
        "line",
        "Widths of the edge along the line, from 10 to 90 %",
        tuple(labels[name] for name in names),
        tuple(rows),
        sources=(("Edge width", EDGE_SOURCE),),
        reasons=tuple(reasons),
    )


def _width(width_px: float | None, nm_per_px: float | None) -> str:
    if width_px is None:
        return UNKNOWN
    length = "" if nm_per_px is None else f" ({width_px * nm_per_px:.4g} nm)"
    return f"{width_px:.2f} px{length}"
