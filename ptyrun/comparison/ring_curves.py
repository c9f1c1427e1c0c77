"""How do images correlate, ring by ring of their spectra? The rows of ``frc_curves.csv``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.host import durable
from ptyrun.host.regular import read_text
from ptyrun.ptycho.metrics.few_blocks import lengthened, student
from ptyrun.ptycho.metrics.frc import RingCorrelation
from ptyrun.ptycho.metrics.resampling import CONFIDENCE
from ptyrun.ptycho.metrics.sectors import N_SECTORS
from ptyrun.ptycho.metrics.standard_metrics import Curves

REFERENCE = "reference"
HALVES = "halves"
QUANTITIES = ("amplitude", "phase", "field")
MAX_BYTES = 2**27

_KEY = ("first", "second", "quantity")
_VALUES = ("frequency_nyquist", "correlation", "n_pixels", "low", "high")
_SPECTRA = ("power_ratio", "transfer")

Float1D = NDArray[np.float64]


def _none() -> Float1D:
    return np.empty(0)


@dataclass(frozen=True)
class RingCurve:
    r"""The standard correlation (R,) of one quantity of two images, up to Nyquist, with its sign.

    Attributes
    ----------
    first : str
        Name of an arm.
    second : str
        Name of another arm, ``reference``, or ``halves`` for two halves of the first.
    quantity : str
        ``amplitude``, ``phase`` or ``field``.
    frequencies, correlation : ndarray of float64, shape (R,)
        In fractions of Nyquist; NaN where there is no correlation.
    n_pixels : ndarray of int64, shape (R,)
        Fourier pixels of each ring.
    low, high : ndarray of float64, shape (R,) or (0,)
        Ends of an interval, where one is known.
    power_ratio, transfer : ndarray of float64, shape (R,) or (0,)
        Power of the first image over that of the second, and how much of the second's contrast the
        first has, :math:`\Re \sum F_1 F_2^* / \sum |F_2|^2`, ring by ring.
    """

    first: str
    second: str
    quantity: str
    frequencies: Float1D
    correlation: Float1D
    n_pixels: NDArray[np.int64]
    low: Float1D = field(default_factory=_none)
    high: Float1D = field(default_factory=_none)
    power_ratio: Float1D = field(default_factory=_none)
    transfer: Float1D = field(default_factory=_none)

    @property
    def rings(self) -> RingCorrelation:
        """As thresholds take it."""
        side_px = round(2 / self.frequencies[1]) if len(self.frequencies) > 1 else 2
        return RingCorrelation(self.correlation, self.n_pixels, side_px)


def curves_of(first: str, second: str, found: Curves) -> Iterator[RingCurve]:
    """Name the three curves of one pair of images, with their intervals of 95 %."""
    for quantity in QUANTITIES:
        rings: RingCorrelation = getattr(found, quantity)
        ends: tuple[Float1D, ...] = ()
        if rings.sectors is not None and not np.isnan(rings.correlation).any():
            tail = (1 - CONFIDENCE) / 2
            curves = rings.resampled
            assert curves is not None, "there are sectors"
            low, median, high = np.quantile(curves, (tail, 0.5, 1 - tail), axis=0)
            low, high = np.clip(lengthened(low, median, high, student(N_SECTORS)), -1.0, 1.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                cross, own, wanted = rings.sectors.sum(axis=1)
                ends = (low, high, own / wanted, cross / wanted)
        values = (rings.correlation, *ends)
        if not rings.told.all():
            values = tuple(np.where(rings.told, each, np.nan) for each in values)
        yield RingCurve(
            first, second, quantity, rings.frequencies, values[0], rings.n_pixels, *values[1:]
        )


def arrays_of(found: Curves) -> dict[str, NDArray[Any]]:
    """Give curves as arrays that a later window reads back with `from_arrays`."""
    shared: dict[str, NDArray[Any]] = {}
    for name in QUANTITIES:
        rings: RingCorrelation = getattr(found, name)
        shared[f"rings_{name}"] = rings.correlation
        shared[f"rings_{name}_n_pixels"] = rings.n_pixels
        shared[f"rings_{name}_side_px"] = np.array(rings.side_px)
        if rings.sectors is not None:
            shared[f"rings_{name}_sectors"] = rings.sectors
        if rings.coarser is not None:
            shared[f"rings_{name}_coarser"] = rings.coarser
    return shared


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Curves:
    """Read back what `arrays_of` gave."""
    return Curves(
        *(
            RingCorrelation(
                arrays[f"rings_{name}"],
                arrays[f"rings_{name}_n_pixels"],
                int(arrays[f"rings_{name}_side_px"]),
                coarser=arrays.get(f"rings_{name}_coarser"),
                sectors=arrays.get(f"rings_{name}_sectors"),
            )
            for name in QUANTITIES
        )
    )


def write(path: Path, found: Iterable[RingCurve]) -> None:
    """Write curves as one table, all or nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_KEY, *_VALUES, *_SPECTRA))
    for curve in found:
        nothing = np.full(len(curve.correlation), np.nan)
        optional = (curve.low, curve.high, curve.power_ratio, curve.transfer)
        ends = (each if each.size else nothing for each in optional)
        columns = (curve.frequencies, curve.correlation, curve.n_pixels, *ends)
        for values in zip(*(column.tolist() for column in columns), strict=True):
            writer.writerow((curve.first, curve.second, curve.quantity, *map(_cell, values)))
    durable.write_text(path, text.getvalue())


def read(path: Path) -> tuple[RingCurve, ...]:
    """Read what `write` wrote; nothing where there is no file, or another table."""
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path, MAX_BYTES))))
        return tuple(_curve(key, list(of)) for key, of in groupby(rows, _key_of))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _key_of(row: Mapping[str, str]) -> tuple[str, str, str]:
    first, second, quantity = (row[name] for name in _KEY)
    return first, second, quantity


def _curve(key: tuple[str, str, str], rows: list[dict[str, str]]) -> RingCurve:
    frequencies, correlation, n_pixels, low, high = (
        np.array([float(row[name] or "nan") for row in rows]) for name in _VALUES
    )
    power_ratio, transfer = (
        np.array([float(row.get(name) or "nan") for row in rows]) for name in _SPECTRA
    )
    if not np.isfinite([frequencies, n_pixels]).all():
        raise ValueError("a ring without frequency or pixels")
    known = bool(np.isfinite(low).any())
    return RingCurve(
        *key,
        frequencies,
        correlation,
        n_pixels.astype(np.int64),
        low if known else _none(),
        high if known else _none(),
        power_ratio if known else _none(),
        transfer if known else _none(),
    )


def _cell(value: float | int) -> str:
    return "" if not math.isfinite(value) else repr(value)
