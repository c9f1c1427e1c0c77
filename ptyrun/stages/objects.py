"""Where do the assembled objects lie? In ``objects.zarr``, replaced as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ptyrun.engine import durable
from ptyrun.engine.store import ArraySpec, DurableStore, open_array
from ptyrun.paths import RunPaths


def write(paths: RunPaths, images: Mapping[str, NDArray[np.generic]]) -> None:
    """Write images (H, W) by their path, such as ``pinn/object``, in place of what was there."""
    fresh = paths.objects.with_name(f"{paths.objects.name}{durable.PARTIAL}")
    with durable.storage_errors(fresh):
        shutil.rmtree(fresh, ignore_errors=True)
        folder = DurableStore(fresh)
        for path, image in images.items():
            spec = ArraySpec(
                path=path,
                shape=image.shape,
                chunks=image.shape,
                dtype=str(image.dtype),
                dimension_names=("y", "x"),
                units="1",
                compression="none",
            )
            spec.create(folder)
            open_array(folder, path, "r+")[...] = image
        folder.sync()
        shutil.rmtree(paths.objects, ignore_errors=True)
    durable.publish(fresh, paths.objects)
    durable.fsync_folder(paths.root)
