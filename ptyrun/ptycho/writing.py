"""How is a scan or a reconstruction written in the layouts that every tool here reads?"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.finished import Reconstruction
from ptyrun.ptycho.readers.scan import Scan
from ptyrun.ptycho.readers.scan_npz import BAD_PIXELS
from ptyrun.ptycho.readers.units import JOULES_PER_EV, PLANCK_TIMES_LIGHT_EV_M

BLOCK_BYTES = 16 << 20
CXI_VERSION = 160
# As every archive is dated, so that equal content is equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
_WORKING = 8 + 4 + 4  # bytes of a value while it is turned into what is stored


@dataclass(frozen=True)
class _Stream:
    """An array (n, N, N) that is written as it is read."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    blocks: Iterator[NDArray[Any]]


def write_scan_npz(path: Path, scan: Scan) -> None:
    """Write PtychoPINN's NPZ: counts as they are stored, everything else as amplitude."""
    y, x = scan.positions_px.T
    said = {
        "converted_from": scan.path.name,
        "reader": scan.reader,
        "pixel_size_m": scan.pixel_size_m,
        "energy_ev": scan.energy_ev,
        "distance_m": scan.distance_m,
        "is_simulated": scan.object_is_truth,
        "near_field": scan.near_field,
    }
    members: dict[str, Any] = {
        "diffraction": _frames(scan, counts=_keeps_counts(scan)),
        "xcoords": x,
        "ycoords": y,
        "_metadata": np.array(json.dumps({k: v for k, v in said.items() if v}, sort_keys=True)),
    }
    if scan.probe_modes is not None:
        members["probeGuess"] = _single(scan.probe_modes)
    if scan.object_guess is not None:
        members["objectGuess"] = scan.object_guess
    if scan.bad_pixels is not None:
        members[BAD_PIXELS] = scan.bad_pixels
    _write_npz(path, members)


def write_reconstruction_npz(path: Path, found: Reconstruction) -> None:
    """Write ``reconstructed_object``, ``reconstructed_probe``, ``algorithm``, ``pixel_size_m``."""
    members: dict[str, Any] = {"reconstructed_object": found.object}
    if found.probe_modes is not None:
        members["reconstructed_probe"] = _single(found.probe_modes)
    members["algorithm"] = np.array(found.algorithm or found.label)
    if found.computation_time_s is not None:
        members["computation_time_seconds"] = np.array(found.computation_time_s)
    if found.pixel_size_m is not None:
        members["pixel_size_m"] = np.array(found.pixel_size_m)
    _write_npz(path, members)


def write_scan_cxi(path: Path, scan: Scan) -> None:
    """Write CXI: intensity, translations and geometry in metres, probe and mask.

    Raises
    ------
    InputError
        If the scan does not say what metres take: pixel size, energy, distance.
    """
    pixel_m, energy_ev, distance_m = scan.pixel_size_m, scan.energy_ev, scan.distance_m
    if not pixel_m or not energy_ev or not distance_m:
        known = {"pixel size": pixel_m, "energy": energy_ev, "distance": distance_m}
        missing = [name for name, value in known.items() if not value]
        raise InputError(
            f"{scan.path} cannot be written as CXI",
            why=f"CXI is in metres, and the scan does not say its {' and '.join(missing)}",
            do="write it as NPZ, which is in pixels",
        )
    side = scan.patch_px
    stream = _frames(scan, counts=True)
    with h5py.File(path, "w") as file:
        file["cxi_version"] = CXI_VERSION
        source = file.create_group("entry_1/instrument_1/source_1")
        source["energy"] = energy_ev * JOULES_PER_EV
        detector = file.create_group("entry_1/instrument_1/detector_1")
        detector["distance"] = distance_m
        wavelength_m = PLANCK_TIMES_LIGHT_EV_M / energy_ev
        detector["x_pixel_size"] = wavelength_m * distance_m / (side * pixel_m)
        detector["y_pixel_size"] = wavelength_m * distance_m / (side * pixel_m)
        stored = detector.create_dataset("data", stream.shape, stream.dtype)
        start = 0
        for block in stream.blocks:
            stored[start : start + len(block)] = block
            start += len(block)
        if scan.bad_pixels is not None:
            detector["mask"] = scan.bad_pixels.astype(np.uint32)
        # The detector's rows point down and its columns to -x: +y and +x of a CXI translation.
        moved = np.c_[scan.positions_px[:, ::-1] * pixel_m, np.zeros(scan.n_frames)]
        file["entry_1/sample_1/geometry_1/translation"] = moved
        data = file.create_group("entry_1/data_1")
        data["data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
        data["translation"] = h5py.SoftLink("/entry_1/sample_1/geometry_1/translation")
        if scan.probe_modes is not None:
            source["probe"] = scan.probe_modes
        if scan.object_guess is not None:
            file["entry_1/image_1/data"] = scan.object_guess


def write_reconstruction_cxi(path: Path, found: Reconstruction) -> None:
    """Write the object as the image of a CXI file, and the probe."""
    with h5py.File(path, "w") as file:
        file["cxi_version"] = CXI_VERSION
        file["entry_1/image_1/data"] = found.object
        if found.pixel_size_m is not None:
            height, width = found.object.shape
            file["entry_1/image_1/image_size"] = np.array([width, height, 0]) * found.pixel_size_m
        if found.probe_modes is not None:
            file["entry_1/instrument_1/source_1/probe"] = found.probe_modes


def _keeps_counts(scan: Scan) -> bool:
    """Whether frames are stored as whole numbers, which readers take as counts."""
    return scan.intensity and scan.source.read(np.array([0])).dtype.kind in "iu"


def _frames(scan: Scan, *, counts: bool) -> _Stream:
    """Frames as intensity in their own type (amplitudes are squared), or else as amplitude."""
    dtype = np.dtype(np.float32)
    if counts and scan.intensity:
        dtype = scan.source.read(np.array([0])).dtype.newbyteorder("=")
    step = max(1, BLOCK_BYTES // (_WORKING * scan.patch_px**2))

    def blocks() -> Iterator[NDArray[Any]]:
        for first in range(0, scan.n_frames, step):
            frames = np.arange(first, min(first + step, scan.n_frames))
            if counts and scan.intensity:
                yield scan.source.read(frames).astype(dtype, copy=False)
            elif counts:
                yield (scan.amplitudes(frames).astype(np.float64) ** 2).astype(dtype)
            else:
                yield scan.amplitudes(frames)

    shape = (scan.n_frames, scan.patch_px, scan.patch_px)
    return _Stream(dtype, shape, blocks())


def _single(modes: NDArray[np.complex64]) -> NDArray[np.complex64]:
    return modes[0] if len(modes) == 1 else modes


def _write_npz(path: Path, members: Mapping[str, NDArray[Any] | _Stream]) -> None:
    """Write an archive that nothing in it is packed in, so that its rows can be read one by one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, values in members.items():
            member = zipfile.ZipInfo(f"{name}.npy", _DATE)
            n_bytes = int(np.prod(values.shape)) * values.dtype.itemsize
            with archive.open(member, "w", force_zip64=n_bytes >= zipfile.ZIP64_LIMIT // 2) as out:
                if isinstance(values, _Stream):
                    header = {
                        "descr": npy.dtype_to_descr(values.dtype),
                        "fortran_order": False,
                        "shape": values.shape,
                    }
                    npy.write_array_header_1_0(out, header)
                    for block in values.blocks:
                        out.write(np.ascontiguousarray(block).data)
                else:
                    npy.write_array(out, np.asarray(values, order="C"), allow_pickle=False)
