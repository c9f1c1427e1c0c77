"""How are arrays handed out? With names, coordinates and units; as xarray where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr
    import zarr

Coordinates = Mapping[str, tuple[str, NDArray[Any], str]]  # name -> dimension, values, units


@dataclass(frozen=True)
class Labelled:
    """What stands for an ``xarray.DataArray`` where xarray is not installed.

    ``data`` is an array of NumPy, or one of Zarr that is read when it is sliced.
    """

    data: Any
    dims: tuple[str, ...]
    coords: Mapping[str, NDArray[Any]]
    attrs: Mapping[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return tuple(self.data.shape)

    @property
    def values(self) -> NDArray[Any]:
        """All of it, in memory."""
        return np.asarray(self.data[...])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Let NumPy take it as it is."""
        values = self.values
        return values if dtype is None else values.astype(dtype)


def labelled(
    values: NDArray[Any], dims: tuple[str, ...], coordinates: Coordinates, name: str
) -> xr.DataArray | Labelled:
    """Give *values* their names; their own unit is 1, those of coordinates are told."""
    try:
        import xarray as xr
    except ImportError:
        return _plain(values, dims, coordinates)
    return xr.DataArray(values, _variables(coordinates), dims, name, {"units": "1"})


def on_disk(
    array: zarr.Array[Any], store: Path, dims: tuple[str, ...], coordinates: Coordinates
) -> xr.DataArray | Labelled:
    """Give an *array* of a Zarr *store* its names; it is read when it is sliced."""
    try:
        import xarray as xr
    except ImportError:
        return _plain(array, dims, coordinates)
    group, _, name = array.path.rpartition("/")
    opened = xr.open_dataset(store, engine="zarr", group=group, consolidated=False, chunks=None)
    found: xr.DataArray = opened[name].assign_coords(_variables(coordinates))
    return found


def _plain(data: Any, dims: tuple[str, ...], coordinates: Coordinates) -> Labelled:
    places = {name: values for name, (_, values, _) in coordinates.items()}
    return Labelled(data, dims, places, {"units": "1"})


def _variables(coordinates: Coordinates) -> dict[str, Any]:
    import xarray as xr

    return {
        name: xr.Variable((dim,), values, {"units": units} if units else {})
        for name, (dim, values, units) in coordinates.items()
    }
