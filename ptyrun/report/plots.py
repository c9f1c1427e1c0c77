"""What do the arms look like beside each other and what they are held against?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from ptyrun.report import colours, drawn
from ptyrun.report.colours import Scale
from ptyrun.report.scale_bar import scale_bar
from ptyrun.report.views import Scene, View

PANEL_INCHES = 3.2
BAR_INCHES = 0.1
GAP_INCHES = 0.07
CAPTION_INCHES = 0.27  # under a panel: figures, and the ends of two colour bars
TICKS_INCHES = 0.5  # room for the colour bar's numbers
LEFT_INCHES = 0.35
TITLE_INCHES = 0.5
NOTE_INCHES = 0.2  # for a line of notes
LARGEST_KEPT_PX = 512
TALLEST, FLATTEST = 2.0, 0.4  # height over width of a panel

# No scale has it.
UNCOVERED, HATCH = "#dfe3e8", "#b4bcc6"
WARNING = "#b00020"


def comparison_figure(scene: Scene, pixel_size_m: float | None = None) -> Figure:
    """Draw a scene: a row for each quantity, a column for each view.

    Parameters
    ----------
    scene : Scene
    pixel_size_m : float, optional
        Object pixel in metres; the scale bar counts pixels when None.

    Returns
    -------
    Figure
        Equal scenes give figures of equal bytes.
    """
    layout = _Layout.of(scene)
    figure = drawn.figure(layout.width, layout.height)
    for row, quantity in enumerate(scene.quantities):
        scales = scene.scales(quantity)
        last = max(n for n, scale in enumerate(scales) if scale is not None)
        for column, (view, scale) in enumerate(zip(scene.views, scales, strict=True)):
            if scale is None:
                continue
            axes = layout.axes(figure, row, column)
            _draw(axes, view.images[quantity], scale)
            _caption(axes, view.captions.get(quantity, ""))
            if column == 0:
                axes.set_ylabel(quantity.words)
                axes.yaxis.set_label_coords(-0.03, 0.5)
                _scale_bar(axes, view.images[quantity].shape, scene.step_px, pixel_size_m)
            if row == 0:
                _title(axes, view)
            if scene.is_per_arm or column == last:
                _colour_bar(axes, scale, layout.most_ticks)
    for number, note in enumerate(reversed(scene.notes)):
        up = (0.05 + number * NOTE_INCHES) / layout.height
        left = LEFT_INCHES / layout.width
        figure.text(left, up, drawn.plain(note), fontsize=8, va="bottom", color="#333333")
    return figure


@dataclass(frozen=True)
class _Layout:
    """Where each panel is, in inches."""

    tall: float
    pitch: float
    n_rows: int
    width: float
    height: float
    below: float

    @classmethod
    def of(cls, scene: Scene) -> _Layout:
        shapes = [image.shape for view in scene.views for image in view.images.values()]
        aspect = max(height / width for height, width in shapes)
        tall = PANEL_INCHES * min(max(aspect, FLATTEST), TALLEST)
        bar = BAR_INCHES + TICKS_INCHES
        pitch = PANEL_INCHES + 2 * GAP_INCHES + (bar if scene.is_per_arm else 0)
        n_rows, below = len(scene.quantities), NOTE_INCHES * len(scene.notes) + 0.08
        return cls(
            tall=tall,
            pitch=pitch,
            n_rows=n_rows,
            width=LEFT_INCHES + pitch * len(scene.views) + (0 if scene.is_per_arm else bar),
            height=TITLE_INCHES + n_rows * (tall + CAPTION_INCHES) + below,
            below=below,
        )

    @property
    def most_ticks(self) -> int:
        """How many numbers have a place beside a colour bar."""
        return min(9, int(self.tall * 72 / 14))

    def axes(self, figure: Figure, row: int, column: int) -> Axes:
        left = LEFT_INCHES + column * self.pitch
        above = (self.n_rows - 1 - row) * (self.tall + CAPTION_INCHES)
        up = self.below + above + CAPTION_INCHES
        width, height = self.width, self.height
        place = (left / width, up / height, PANEL_INCHES / width, self.tall / height)
        return figure.add_axes(place)


def _draw(axes: Axes, values: NDArray[np.floating[Any]], scale: Scale) -> None:
    """Colours are given here, once: each kind of file would do so again."""
    if not np.isfinite(values).all():
        axes.set_facecolor(UNCOVERED)
        whole = Rectangle(
            (0, 0), 1, 1, transform=axes.transAxes, fill=False, hatch="////", edgecolor=HATCH, lw=0
        )
        axes.add_patch(whole).set_zorder(-1)
    # "none" keeps the pixels as they are in drawings, which larger images would make too large.
    kept = "none" if max(values.shape) <= LARGEST_KEPT_PX else "nearest"
    axes.imshow(
        colours.painted(values, scale),
        interpolation=kept,
        cmap=scale.colours,  # for who looks into the figure
        vmin=scale.low,
        vmax=scale.high,
    )
    axes.set_xticks([])
    axes.set_yticks([])


def _colour_bar(axes: Axes, scale: Scale, most_ticks: int) -> None:
    """Draw a picture of all colours, lines and numbers; as axes of its own it takes ten times."""
    left, point = 1 + GAP_INCHES / PANEL_INCHES, 1 / 72 / PANEL_INCHES
    right = left + BAR_INCHES / PANEL_INCHES
    beside: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False}
    image = AxesImage(
        axes, extent=(left, right, 0, 1), origin="lower", interpolation="none", **beside
    )
    values = np.linspace(scale.low, scale.high, colours.LEVELS)
    image.set_data(colours.painted(values[:, np.newaxis], scale))
    axes.add_image(image)
    axes.add_patch(Rectangle((left, 0), right - left, 1, fill=False, lw=0.8, **beside))
    ticks, labels, unit = _ticks(scale, most_ticks)
    ups = (ticks - scale.low) / (scale.high - scale.low)
    marks = [[(right, up), (right + 2 * point, up)] for up in ups]
    axes.add_collection(LineCollection(marks, colors="black", linewidths=0.8, **beside))
    for up, label in zip(ups, labels, strict=True):
        axes.text(right + 3.5 * point, up, label, fontsize=7, va="center_baseline", **beside)
    axes.text(right, 1 + 3 * point, unit, fontsize=7, ha="right", va="bottom", **beside)


def _ticks(scale: Scale, most: int) -> tuple[NDArray[np.float64], list[str], str]:
    """Give round values, their labels, and what these are to be multiplied with or added to."""
    if scale.cyclic:
        return np.array([scale.low, 0.0, scale.high]), ["−π", "0", "π"], ""
    places = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
    found = np.asarray(places.tick_values(scale.low, scale.high))
    ticks = found[(found >= scale.low) & (found <= scale.high)]
    numbers = ScalarFormatter()
    numbers.create_dummy_axis()
    assert numbers.axis is not None
    numbers.axis.set_view_interval(scale.low, scale.high)
    return ticks, numbers.format_ticks(ticks.tolist()), numbers.get_offset()


def _title(axes: Axes, view: View) -> None:
    # Said, the place need not be found by measuring all other texts.
    axes.set_title("\n".join(_title_lines(view)), fontsize=10, y=1.0)
    if view.warning is not None:
        axes.text(
            0.5, 0.985, drawn.plain(view.warning), transform=axes.transAxes, color="white",
            fontsize=8, ha="center", va="top", wrap=True,
            bbox={"facecolor": WARNING, "edgecolor": "none"},
        )  # fmt: skip


def _title_lines(view: View) -> Iterator[str]:
    yield drawn.short(view.label)
    if view.is_unregistered:
        yield "not registered"
    elif view.offset_px is not None:
        dy_px, dx_px = view.offset_px
        yield f"offset dy {dy_px:+.2f} px, dx {dx_px:+.2f} px"


def _caption(axes: Axes, text: str) -> None:
    axes.text(
        0.5, -GAP_INCHES / PANEL_INCHES / 2, drawn.plain(text), transform=axes.transAxes,
        fontsize=8, ha="center", va="top",
    )  # fmt: skip


def _scale_bar(
    axes: Axes, shape: tuple[int, ...], step_px: int, pixel_size_m: float | None
) -> None:
    height, width = shape
    bar = scale_bar(width * step_px, pixel_size_m)
    bar_px, thickness = bar.width_percent / 100 * width, max(1.0, height / 60)
    left, top = 0.04 * width, height * 0.955 - thickness
    paper = {"facecolor": "black", "alpha": 0.65, "pad": 1.5, "edgecolor": "none"}
    axes.add_patch(
        Rectangle((left, top), bar_px, thickness, facecolor="white", edgecolor="black", lw=0.6)
    )
    axes.text(
        left, top - thickness, bar.label, color="white", fontsize=9, weight="bold",
        ha="left", va="bottom", bbox=paper,
    )  # fmt: skip
