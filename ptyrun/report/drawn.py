"""How does a figure become files? As a picture, and as drawings that stay sharp; equal bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

# Nothing of when, by what and by which chance: equal figures give equal bytes.
_METADATA = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
}
DPI = 140


class Drawn(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        return content(self)


def figure(width_inches: float, height_inches: float) -> Figure:
    """Begin a figure that can be drawn anywhere."""
    made = Drawn(figsize=(width_inches, height_inches), dpi=DPI)
    FigureCanvasAgg(made)
    return made


def sheet(width_inches: float, height_inches: float) -> tuple[Figure, Axes]:
    """Begin a figure, and give axes that measure it in inches from its lower left corner.

    Axes for each of many panels would take a third of the time.
    """
    made = figure(width_inches, height_inches)
    axes = made.add_axes((0, 0, 1, 1), xlim=(0, width_inches), ylim=(0, height_inches))
    axes.set_axis_off()
    return made, axes


def width_inches(text: str, points: float) -> float:
    """Tell how wide a text will be."""
    font = FontProperties(size=points)
    with _any_script():
        return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


@contextmanager
def _any_script() -> Iterator[None]:
    """Say nothing of letters that a font has not: a label may be of any script."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def plain(text: str) -> str:
    """Keep a text that somebody else wrote from being taken for a formula."""
    return text.replace("$", r"\$")


def short(text: str, longest: int = 36) -> str:
    """Keep a label within its place."""
    return plain(text if len(text) <= longest else f"{text[: longest - 1]}…")


def content(shown: Figure, kind: str = "png") -> bytes:
    """Write a figure as ``png``, ``pdf`` or ``svg``."""
    memory = io.BytesIO()
    with (
        # Letters keep their places in pictures, as in drawings; finding better ones takes long.
        matplotlib.rc_context({"svg.hashsalt": "ptyrun", "text.hinting": "none"}),
        _any_script(),
    ):
        options: dict[str, Any] = {"metadata": _METADATA[kind]}
        if kind == "png":  # in a third of the time of the default, a tenth larger
            options["pil_kwargs"] = {"compress_level": 1}
        shown.savefig(memory, format=kind, **options)
    return memory.getvalue()
