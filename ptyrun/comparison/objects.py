"""Where do the assembled objects lie? In ``objects.zarr``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.storage import LocalStore

from ptyrun.engine.foreign_arrays import Planned, read_array
from ptyrun.engine.store import ArraySpec
from ptyrun.host import checksums, durable
from ptyrun.paths import RunPaths

# Kinds of numbers of each image, and the image that has its shape.
_IMAGES: Mapping[str, tuple[str, str | None]] = {
    "object": ("c", None),
    "coverage": ("fiu", "object"),
    "aligned": ("c", None),
    "aligned_truth": ("c", "aligned"),
    "aligned_covered": ("b", "aligned"),
    "common": ("c", None),
    "probe": ("c", None),
    "common_covered": ("b", "common"),
}


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


def read(paths: RunPaths, path: str) -> NDArray[Any] | None:
    """Read an image or its coordinates, as the name says it must be; None if there is none.

    Raises
    ------
    SchemaError
        If something else lies there; found before it takes memory.
    """
    owner, _, name = path.rpartition("/")
    if name in _IMAGES:
        kinds, like = _IMAGES[name]
        planned = Planned(kinds, 2, like and f"{owner}/{like}")
    else:  # rows or columns of one of them
        planned = Planned("f", 1)
    return read_array(paths.objects, path, planned)


def write(paths: RunPaths, rasters: Mapping[str, Raster]) -> None:
    """Write images by their path, such as ``pinn/object``, into a folder that has none yet.

    Beside them, in the same zarr group, lie their coordinates (``pinn/y``, ``pinn/x``). Names of
    files are on disk for good once the folder's are: whoever publishes it sees to that.
    """
    with durable.storage_errors(paths.objects):
        folder = LocalStore(paths.objects)
        coordinates: dict[str, tuple[str, NDArray[np.float64]]] = {}
        for path, raster in rasters.items():
            _put(folder, path, raster.values, raster.axes, "1")
            group = path.rpartition("/")[0]
            for axis, places in raster.coordinates.items():
                coordinates[f"{group}/{axis}"] = (axis, places)
        for path, (axis, places) in coordinates.items():
            _put(folder, path, places, (axis,), "px")
    durable.sync_all(checksums.files_below(paths.objects))


def _put(
    folder: LocalStore,
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
    spec.create(folder)[...] = values
