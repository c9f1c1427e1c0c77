"""Where do the assembled objects lie? In ``objects.zarr``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.engine.durable_store import DurableStore
from ptyrun.engine.store import ArraySpec, open_array
from ptyrun.host import durable
from ptyrun.paths import RunPaths


@dataclass(frozen=True)
class Raster:
    """An image (h, w), and which rows and columns of the object's grid it begins at.

    Images of one zarr group that differ in shape need axes of different names.
    """

    values: NDArray[np.generic]
    top: int = 0
    left: int = 0
    axes: tuple[str, str] = ("y", "x")

    @property
    def coordinates(self) -> dict[str, NDArray[np.float64]]:
        """Rows and columns in object pixels, by the names of the axes."""
        starts = zip(self.axes, (self.top, self.left), self.values.shape, strict=True)
        return {axis: np.arange(start, start + n, dtype=np.float64) for axis, start, n in starts}


def arrays_of(rasters: Mapping[str, Raster]) -> dict[str, NDArray[Any]]:
    """Give images and coordinates by the paths that they will have."""
    return {
        **{path: raster.values for path, raster in rasters.items()},
        **{
            f"{path.rpartition('/')[0]}/{axis}": places
            for path, raster in rasters.items()
            for axis, places in raster.coordinates.items()
        },
    }


def write(paths: RunPaths, rasters: Mapping[str, Raster]) -> None:
    """Write images by their path, such as ``pinn/object``, into a folder that has none yet.

    Beside them, in the same zarr group, lie their coordinates (``pinn/y``, ``pinn/x``).
    """
    with durable.storage_errors(paths.objects):
        folder = DurableStore(paths.objects)
        coordinates: dict[str, tuple[str, NDArray[np.float64]]] = {}
        for path, raster in rasters.items():
            _put(folder, path, raster.values, raster.axes, "1")
            group = path.rpartition("/")[0]
            for axis, places in raster.coordinates.items():
                coordinates[f"{group}/{axis}"] = (axis, places)
        for path, (axis, places) in coordinates.items():
            _put(folder, path, places, (axis,), "px")
        folder.sync()


def _put(
    folder: DurableStore,
    path: str,
    values: NDArray[np.generic],
    dimension_names: tuple[str, ...],
    units: str,
) -> None:
    spec = ArraySpec(
        path=path,
        shape=values.shape,
        chunks=values.shape,
        dtype=str(values.dtype),
        dimension_names=dimension_names,
        units=units,
        compression="none",
    )
    spec.create(folder)
    open_array(folder, path, "r+")[...] = values
