"""Which image of a stack is the object?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import checked_complex

Image = NDArray[np.complex64]


def only_layers(path: Path, name: str, values: NDArray[Any]) -> tuple[Image, tuple[str, ...]]:
    """Give the object (H, W) of slices along the beam (L, H, W): their product.

    Raises
    ------
    InputError
        If it is not a complex image or stack of images.
    """
    require_complex_stack(path, name, values)
    layers = values.reshape(-1, *values.shape[-2:])
    product = layers[0] if len(layers) == 1 else np.prod(layers, axis=0)
    said = () if len(layers) == 1 else (f"{name} is the product of its {len(layers)} slices",)
    return checked_complex(path, name, product), said


def first_of(
    path: Path, name: str, values: NDArray[Any], axes: tuple[str, ...]
) -> tuple[Image, tuple[str, ...]]:
    """Give the first image of a stack (..., H, W) and say which it is, where there are more.

    Parameters
    ----------
    path, name
        For errors.
    values : ndarray of complex
    axes : tuple of str
        What the axes before the last two count, in the plural.

    Raises
    ------
    InputError
        If it is not a complex image or stack of images.
    """
    require_complex_stack(path, name, values)
    leading = values.shape[:-2]
    names = axes[len(axes) - len(leading) :] if len(leading) <= len(axes) else ("images",)
    image = values.reshape(-1, *values.shape[-2:])[0]
    counts = [f"{n} {what}" for n, what in zip(leading, names, strict=False) if n > 1]
    said = (f"{name} has {' and '.join(counts)}: the first is taken",) if counts else ()
    return checked_complex(path, name, image), said


def require_complex_stack(path: Path, name: str, values: NDArray[Any]) -> None:
    """See that values are complex images (..., H, W).

    Raises
    ------
    InputError
        If they are anything else.
    """
    if values.ndim >= 2 and values.size and values.dtype.kind == "c":
        return
    missing = ": its phase is missing" if values.dtype.kind in "biuf" else ""
    raise InputError(
        f"{name} of {path} is not a complex image{missing}",
        why=f"it is {values.dtype} of shape {values.shape}",
        do="store the complex object, amplitude times exp(i phase)",
    )


def as_complex(values: NDArray[Any]) -> NDArray[Any]:
    """Give complex numbers for MATLAB's and others' records of ``real`` and ``imag``."""
    names = values.dtype.names
    if names is None or len(names) != 2 or {name[:1].lower() for name in names} != {"r", "i"}:
        return values
    real, imag = sorted(names, key=lambda name: name[:1].lower() != "r")
    return np.asarray(values[real] + 1j * values[imag])
