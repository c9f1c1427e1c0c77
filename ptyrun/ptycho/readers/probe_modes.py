"""Which modes has a probe, and along which axis do they lie?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.complex_images import checked_complex


def split_modes(
    path: Path,
    name: str,
    values: NDArray[Any],
    first: int | None = 0,
    patch_px: int | None = None,
) -> tuple[NDArray[np.complex64], NDArray[np.complex64] | None]:
    """Give the mode *first* of a probe, and the others (M - 1, N, N) if there are any.

    Parameters
    ----------
    path, name
        For errors.
    values : ndarray, shape (N, N), (M, N, N), (V, M, N, N), (N, N, M) or (N, N, M, V)
        M modes; of V variations from position to position the first are taken.
    first : int, optional
        Which is given first; the strongest when None.
    patch_px : int, optional
        N, if it is known.

    Raises
    ------
    InputError
        If there is none, one holds no finite numbers, or the shape can be read two ways.
    """
    modes = _modes_first(path, name, values, patch_px)
    checked = [checked_complex(path, name, mode) for mode in modes]
    if first is None:
        first = int(np.argmax([np.sum(np.abs(mode) ** 2, dtype=np.float64) for mode in checked]))
    others = [mode for number, mode in enumerate(checked) if number != first]
    return checked[first], np.stack(others) if others else None


def _modes_first(path: Path, name: str, values: NDArray[Any], patch_px: int | None) -> NDArray[Any]:
    """Modes (M, N, N), whichever axis counts them; of variations the first."""
    if values.ndim < 2 or values.size == 0:
        raise InputError(
            f"{name} of {path} is not an image",
            why=f"it has shape {values.shape}",
            do="store one complex array of two dimensions",
        )
    shape = values.shape
    if values.ndim == 2:
        return values[None]
    is_first, is_last = (
        one == other and patch_px in (None, one) for one, other in (shape[-2:], shape[:2])
    )
    if is_first and is_last and shape[0] == shape[-1] > 1 and values.ndim == 3:
        raise InputError(
            f"{name} of {path} does not say along which axis its modes lie",
            why=f"its shape is {shape}: any two of its axes can be those of an image",
            do="store the modes that matter, shape (M, N, N)",
        )
    if is_last and not is_first:
        return np.moveaxis(np.asarray(values.reshape(*shape[:3], -1)[..., 0]), -1, 0)
    # (M, 1, N, N), as others than pty-chi have it: there it would be M variations of one mode.
    is_plain = values.ndim == 4 and shape[1] == 1
    return values.reshape(-1, *shape[-2:]) if is_plain else first_variation(values)


def first_variation(values: NDArray[Any]) -> NDArray[Any]:
    """Give the modes (M, N, N) of the first position, of a probe (..., M, N, N) that varies."""
    if values.ndim < 4 or values.shape[-1] != values.shape[-2]:
        return values
    return np.asarray(values.reshape(-1, *values.shape[-3:])[0])


def variations_note(n_values: int, modes: NDArray[np.complex64] | None) -> tuple[str, ...]:
    """Say how many variations of a probe's *modes* (M, N, N) its *n_values* are."""
    count = 0 if modes is None else n_values // modes.size
    if count < 2:
        return ()
    return (f"the probe has {count} variations from position to position: the first is taken",)


def modes_note(probe_modes: NDArray[np.complex64] | None, shown: str = "first") -> tuple[str, ...]:
    """Say of a probe (M, N, N) of several modes which is shown, and that all are used."""
    if probe_modes is None or len(probe_modes) < 2:
        return ()
    return (
        f"the probe has {len(probe_modes)} modes: the {shown} is shown, all add incoherently where "
        "frames are modelled",
    )


def stacked_modes(
    probe: NDArray[np.complex64] | None, weaker: NDArray[np.complex64] | None
) -> NDArray[np.complex64] | None:
    """Give all modes (M, N, N), *probe* (N, N) first; None without one."""
    if probe is None:
        return None
    return probe[None] if weaker is None else np.concatenate([probe[None], weaker])
