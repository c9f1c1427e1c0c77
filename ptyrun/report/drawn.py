"""How does a figure become files? As a picture, and as drawings that stay sharp; equal bytes."""

from __future__ import annotations

import importlib.util
import io
import struct
import sys
import warnings
import zlib
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
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
    with (
        # Letters keep their places in pictures, as in drawings; finding better ones takes long.
        matplotlib.rc_context({"svg.hashsalt": "ptyrun", "text.hinting": "none"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a label may be of any script
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
