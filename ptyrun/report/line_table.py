"""How do values along a line stand in a table of their own, for other programs to plot?"""

from __future__ import annotations

import csv
import io
import math

from ptyrun.results import Results
from ptyrun.texts import as_cell

COLUMNS = ("arm", "label", "distance_px", "y_px", "x_px", "amplitude", "phase_rad")


def profiles_csv(results: Results) -> str | None:
    """Write the profiles of all arms and of what they are held against, one value a row.

    Returns
    -------
    str or None
        None where no line was asked for. Cells are empty where a value is not known.
    """
    line = results.line
    if line is None:
        return None
    y0, x0, y1, x1 = line.ends_px
    length_px = math.hypot(y1 - y0, x1 - x0) or 1.0
    memory = io.StringIO()
    writer = csv.writer(memory, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, profile in line.profiles.items():
        label = results.arms[name].label if name in results.arms else results.object_role
        for at_px, values in enumerate(zip(profile.amplitude, profile.phase, strict=True)):
            y, x = (a + at_px * (b - a) / length_px for a, b in ((y0, y1), (x0, x1)))
            known = ("" if value is None else repr(value) for value in values)
            writer.writerow([as_cell(name), as_cell(label), at_px, repr(y), repr(x), *known])
    return memory.getvalue()
