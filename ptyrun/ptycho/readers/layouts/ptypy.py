"""Does a file hold a scan (``.ptyd``) or a result (``.ptyr``) of ptypy?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.detector import Mask, mask_doubts, varying_mask
from ptyrun.ptycho.readers.far_field import (
    object_pixel_m,
    placed,
    positive,
    require_plausible,
)
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.formats import Format
from ptyrun.ptycho.readers.frame_kind import kind_of
from ptyrun.ptycho.readers.frame_sources import StackedFrames
from ptyrun.ptycho.readers.hdf5 import MOST_TRIED, Hdf5File, Hdf5Frames, checked_stack
from ptyrun.ptycho.readers.probe_modes import split_modes
from ptyrun.ptycho.readers.reader import ForeignFile, Held, ReaderCard, ScanRequest
from ptyrun.ptycho.readers.scan import Scan, one_size
from ptyrun.ptycho.readers.stacks import first_of
from ptyrun.ptycho.readers.units import (
    JOULES_PER_EV,
    Quantity,
    in_si,
    number_in_si,
    wavelength_m_of,
)

OBJECTS, PROBES = "content/obj", "content/probe"
CHUNKS, META = "chunks", "meta"
NEAR_FIELD = b"nearfield"
_WEIGHT_ROWS = 16


class Ptypy:
    """Storages of ``content/obj`` and ``content/probe``; chunks of frames with their positions.

    Energies are in keV, lengths in metres, positions as (y, x). Source: doc/rst/ptyd.rst and
    ``Ptycho.save_run`` of ptypy (doi:10.1098/rspa.2016.0640).
    """

    card = ReaderCard(
        name="ptypy",
        layout="ptypy (.ptyd, .ptyr)",
        reads="scan: chunks (data, positions, weights), meta; reconstruction: content/obj, probe",
        units="metres, keV",
        written_by="ptypy",
        limits="far field; the first storage and layer; one mask for all frames",
    )

    def holds(self, file: ForeignFile) -> Held:
        """It has chunks of frames, or storages of an object."""
        if file.format is not Format.HDF5:
            return Held.NOTHING
        found = Held.NOTHING
        if _first_storage(file.hdf5, OBJECTS):
            found |= Held.RECONSTRUCTION
        if file.hdf5.members(CHUNKS) and file.hdf5.members(META):
            found |= Held.SCAN
        return found

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        """Open the chunks in their order."""
        path, hdf5 = file.path, file.hdf5
        if _is_near_field(hdf5):
            raise InputError(
                f"{path} was taken in the near field",
                why="meta/propagation is nearfield; far-field networks do not apply",
                do="reconstruct it with ptypy and give the result",
            )
        names = sorted(hdf5.members(CHUNKS), key=lambda name: (len(name), name))
        stacks = [hdf5.required(f"{CHUNKS}/{name}/data") for name in names]
        side = checked_stack(path, stacks[0])
        if any(checked_stack(path, stack) != side for stack in stacks):
            raise InputError(
                f"the chunks of {path} have frames of different sizes",
                why=f"the first are {side} px, others are not",
                do="prepare the scan again with one shape",
            )
        metres = [_positions(hdf5, name, stack) for name, stack in zip(names, stacks, strict=True)]
        y_m, x_m = np.concatenate(metres).T
        energy_ev, distance_m, pixels_m = _geometry(hdf5, side)
        lengths = [len(stack) for stack in stacks]
        bad, varying_doubts = _bad_pixels(hdf5, names, side)
        return Scan(
            path=path,
            positions_px=placed(path, y_m / pixels_m[0], x_m / pixels_m[1], side, sum(lengths)),
            patch_px=side,
            source=_stacked(hdf5, stacks, lengths, bad),
            intensity=request.intensity,
            pixel_size_m=one_size(pixels_m),
            energy_ev=energy_ev,
            distance_m=distance_m,
            bad_pixels=bad,
            doubts=(
                *mask_doubts(bad, _stacked(hdf5, stacks, lengths, None), sum(lengths)),
                *varying_doubts,
                *_off_centre(hdf5, side),
            ),
            notes=(
                f"{sum(lengths)} frames in {len(names)} chunks, taken as "
                f"{kind_of(request.intensity)}",
                f"positions in metres, object pixel {pixels_m[0]:.4g} x {pixels_m[1]:.4g} m",
            ),
        )

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        """Read the object of the first storage."""
        hdf5 = file.hdf5
        home = _first_storage(hdf5, OBJECTS)
        image, said = first_of(file.path, f"{home}/data", hdf5.array(f"{home}/data"), ("layers",))
        others = len(hdf5.members(OBJECTS)) - 1
        if others:
            said = (*said, f"{others} other storages of the object are left out")
        probe, weaker = None, None
        if probe_home := _first_storage(hdf5, PROBES):
            name = f"{probe_home}/data"
            probe, weaker = split_modes(file.path, name, hdf5.array(name))
        pixels = hdf5.dataset(f"{home}/_psize", f"{home}/psize")
        pixels_m = None if pixels is None else _metres(hdf5, pixels).reshape(-1)
        return Reconstruction(
            path=file.path,
            object=image,
            label="ptypy",
            probe=probe,
            weaker_modes=weaker,
            pixel_size_m=None
            if pixels_m is None or not pixels_m.size
            else one_size((float(pixels_m[0]), float(pixels_m[-1]))),
            notes=(f"the object of ptypy's {home.rpartition('/')[2]}", *said),
        )


def _stacked(
    file: Hdf5File, stacks: list[h5py.Dataset], lengths: list[int], bad: Mask | None
) -> StackedFrames:
    sources = tuple(
        Hdf5Frames(file, stack, np.arange(length), bad)
        for stack, length in zip(stacks, lengths, strict=True)
    )
    return StackedFrames(sources, np.cumsum(lengths))


def _first_storage(file: Hdf5File, group: str) -> str:
    for name in sorted(file.members(group))[:MOST_TRIED]:
        if file.dataset(f"{group}/{name}/data") is not None:
            return f"{group}/{name}"
    return ""


def _positions(file: Hdf5File, name: str, stack: h5py.Dataset) -> NDArray[np.float64]:
    dataset = file.required(f"{CHUNKS}/{name}/positions")
    found = file.read(dataset, ())
    if found.shape != (len(stack), 2) or found.dtype.kind not in "fiu":
        raise InputError(
            f"positions of chunk {name} of {file.path} do not fit its frames",
            why=f"they are {found.dtype} of shape {found.shape} for {len(stack)} frames",
            do="store one (y, x) in metres per frame",
        )
    return in_si(file.path, dataset, found, Quantity.LENGTH)


def _metres(file: Hdf5File, found: h5py.Dataset) -> NDArray[np.float64]:
    return in_si(file.path, found, file.read(found, ()), Quantity.LENGTH)


def _geometry(file: Hdf5File, side: int) -> tuple[float, float, tuple[float, float]]:
    """Photon energy in eV, distance and the object's pixel (y, x) in metres."""
    energy_j = number_in_si(file, f"{META}/energy", Quantity.ENERGY, 1e3 * JOULES_PER_EV)
    distance_m = number_in_si(file, f"{META}/distance", Quantity.LENGTH)
    stored = file.dataset(f"{META}/psize")
    is_plain = stored is not None and stored.dtype.kind in "fiu" and 0 < stored.size <= 2
    sides = _metres(file, stored).reshape(-1) if stored is not None and is_plain else (0.0,)
    energy, distance, first, last = positive(
        file.path,
        **{"meta/energy": energy_j, "meta/distance": distance_m},
        **{"meta/psize": float(sides[0]), "meta/psize (x)": float(sides[-1])},
    )
    require_plausible(file.path, distance, max(first, last))
    wavelength_m = wavelength_m_of(file.path, "meta/energy", energy)
    y_m, x_m = (object_pixel_m(wavelength_m, distance, each, side) for each in (first, last))
    return energy / JOULES_PER_EV, distance, (y_m, x_m)


def _bad_pixels(file: Hdf5File, names: list[str], side: int) -> tuple[Mask | None, tuple[str, ...]]:
    """Pixels that any frame's weights, or those of the whole scan, leave out."""
    bad, good_once = np.zeros((2, side, side), np.bool_)
    for place in (f"{META}/weight2d", "common/weight2d"):
        found = file.dataset(place)
        if found is not None and found.shape == (side, side) and found.dtype.kind in "biuf":
            bad |= file.read(found, ()) == 0
    for name in names:
        found = file.dataset(f"{CHUNKS}/{name}/weights")
        if found is None or found.size == 0 or found.dtype.kind not in "biuf":
            continue
        if found.shape[-2:] != (side, side) or found.ndim not in (2, 3):
            raise InputError(
                f"weights of chunk {name} of {file.path} do not fit its frames",
                why=f"they are {found.dtype} of shape {found.shape}, a frame {(side, side)}",
                do="store the frames' own weights, or leave them out",
            )
        for weights in _weights(file, found):
            bad |= (weights == 0).any(axis=0)
            good_once |= (weights != 0).any(axis=0)
    return (bad, varying_mask(bad, ~good_once)) if bad.any() else (None, ())


def _weights(file: Hdf5File, found: h5py.Dataset) -> Iterator[NDArray[Any]]:
    """Weights (k, N, N) of a chunk's frames, some at a time; one for all of them is one frame's."""
    if found.ndim == 2:
        yield file.read(found, ())[None]
        return
    for first in range(0, found.shape[0], _WEIGHT_ROWS):
        yield file.read(found, slice(first, min(first + _WEIGHT_ROWS, found.shape[0])))


def _off_centre(file: Hdf5File, side: int) -> tuple[str, ...]:
    """Say so where the file has the zero frequency elsewhere than in the middle of frames."""
    found = file.dataset(f"{META}/center")
    if found is None or found.dtype.kind not in "fiu" or found.size != 2:
        return ()
    centre = file.read(found, ()).reshape(-1)
    if (np.abs(centre - side / 2) <= 1).all():
        return ()
    return (
        f"meta/center is {centre[0]:g}, {centre[1]:g}, and the zero frequency is taken to lie at "
        f"{side / 2:g}",
    )


def _is_near_field(file: Hdf5File) -> bool:
    found = file.dataset(f"{META}/propagation")
    if found is None or found.dtype.kind not in "SO" or found.size != 1:
        return False
    value = np.asarray(found[()]).reshape(-1)[0]
    return (value.encode() if isinstance(value, str) else value) == NEAR_FIELD
