"""How does a figure become files? As a picture, and as drawings that stay sharp; equal bytes."""

from __future__ import annotations

import importlib.util
import io
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

# Nothing of when, by what and by which chance: equal figures give equal bytes.
_METADATA = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
}
DPI = 140


def _postpone(package: str, name: str) -> None:
    """Let a module of a package be imported when something of it is wanted."""
    found = importlib.util.find_spec(f"{package}.{name}")
    if found is None or found.loader is None or found.name in sys.modules:
        return
    found.loader = importlib.util.LazyLoader(found.loader)
    module = sys.modules[found.name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    setattr(sys.modules[package], name, module)  # else whoever imports it wants something of it


# What cuts fonts in pieces for PDF, which these drawings do not want, takes as long as one of them.
_postpone("fontTools", "subset")


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
        if kind == "png":
            return _png(_pixels(shown), shown.dpi)
        shown.savefig(memory, format=kind, metadata=_METADATA[kind])
    return memory.getvalue()


def _pixels(shown: Figure) -> NDArray[np.uint8]:
    canvas: Any = FigureCanvasAgg(shown)  # its methods have no types
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def _png(image: NDArray[np.uint8], dpi: float) -> bytes:
    """Write an image (H, W, 4); surfaces of one colour need none of the filters that others try.

    Without them it takes a third of the time, and a tenth less space.
    """
    height, width, _ = image.shape
    rows = np.zeros((height, 1 + 4 * width), np.uint8)  # each after its filter, which is none
    rows[:, 1:] = image.reshape(height, -1)
    per_metre = round(dpi / 0.0254)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0),
        b"pHYs": struct.pack(">IIB", per_metre, per_metre, 1),
        b"IDAT": zlib.compress(rows.data, 1),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in parts.items()
    )
