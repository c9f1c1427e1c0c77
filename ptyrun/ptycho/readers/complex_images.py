"""Is an array a complex image, with a phase and finite numbers?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError

# Between these, a power spectrum is made of numbers of single precision, over any image.
_SMALLEST, _LARGEST = 1e-15, 1e12


def checked_complex(path: Path, name: str, values: NDArray[Any]) -> NDArray[np.complex64]:
    """Return a 2-D complex image in single precision.

    Raises
    ------
    InputError
        If the array is not two-dimensional, not numeric, or not finite.
    """
    # Axes of length 1 are those of a batch, of layers or of channels.
    flat = squeezed if values.ndim > 2 and (squeezed := values.squeeze()).ndim == 2 else values
    if flat.ndim != 2 or flat.size == 0 or flat.dtype.kind not in "cfiu":
        what = f"{values.dtype} of shape {values.shape}"
        do = "store one complex array of two dimensions"
        raise refusal(f"{name} of {path} is not a complex image", what, do)
    require_finite(f"{name} of {path} is not finite", flat, "replace them, or leave it out")
    if why := why_out_of_scale(flat):
        raise InputError(
            f"{name} of {path} is out of range",
            why=why,
            do="scale it: figures do not depend on its unit",
        )
    return flat.astype(np.complex64)


def why_out_of_scale(values: NDArray[Any]) -> str:
    """Say why an image is out of range in single precision; empty if it is not.

    What is not finite does not count, nor does an image of zeros.
    """
    largest = float(np.abs(values).max(initial=0.0, where=np.isfinite(values)))
    if largest == 0 or _SMALLEST <= largest <= _LARGEST:
        return ""
    return (
        f"its largest value is {largest:.3g}; single precision holds no power spectrum of values "
        f"beyond {_LARGEST:g} or all below {_SMALLEST:g}"
    )


def require_complex(path: Path, name: str, values: NDArray[Any]) -> None:
    """See that an object has a phase.

    Raises
    ------
    InputError
        If its numbers are real.
    """
    if values.dtype.kind in "biuf":
        raise InputError(
            f"{name} of {path} is not complex: its phase is missing",
            why=f"it is {values.dtype} of shape {values.shape}, amplitudes or phases alone",
            do="store the complex object, amplitude times exp(i phase)",
        )


def lacks_phase(image: NDArray[np.complex64]) -> bool:
    """Whether a complex image holds amplitudes alone: its imaginary part is 0 everywhere."""
    return not image.imag.any()


def require_finite(what: str, values: NDArray[Any], do: str) -> None:
    """See that an image (H, W) is of finite numbers; *what* and *do* are for the error."""
    known = np.isfinite(values)
    if not known.all():
        row, column = divmod(int(np.argmin(known)), known.shape[1])
        at = f"row {row}, column {column}"
        count = known.size - int(np.count_nonzero(known))
        said = f"the value at {at} is" if count == 1 else f"{count} values are"
        others = "" if count == 1 else f", the first at {at}"
        raise InputError(what, why=f"{said} NaN or infinite{others}", do=do)


def refusal(what: str, found: str, do: str) -> InputError:
    """Refuse an array for what it is."""
    return InputError(what, why=f"found {found}", do=do)
