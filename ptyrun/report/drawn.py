"""How does a figure become files? As a picture, and as drawings that stay sharp; equal bytes."""

from __future__ import annotations

import io
import warnings
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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


def plain(text: str) -> str:
    """Keep a text that somebody else wrote from being taken for a formula."""
    return text.replace("$", r"\$")


def short(text: str, longest: int = 36) -> str:
    """Keep a label within its place, and in legends, which pass over what begins with ``_``."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return plain(f"\u200a{cut}" if cut.startswith("_") else cut)


def content(shown: Figure, kind: str = "png") -> bytes:
    """Write a figure as ``png``, ``pdf`` or ``svg``."""
    memory = io.BytesIO()
    # Some times faster than the default, a fifth larger.
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": 1}} if kind == "png" else {}
    with (
        matplotlib.rc_context({"svg.hashsalt": "ptyrun"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a label may be of any script
        shown.savefig(memory, format=kind, metadata=_METADATA[kind], **options)
    return memory.getvalue()
