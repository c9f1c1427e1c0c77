"""Small files of every layout that is read, made from the layouts' public definitions.

Each writer puts the same scene into a file: an object, a probe of two modes, positions, frames. No
code of the programs that write such files is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray

SIDE, OBJECT_SHAPE, N_FRAMES = 8, (24, 21), 7
PIXEL_M, WAVELENGTH_M, DISTANCE_M = 2e-8, 1e-10, 1.5
DETECTOR_M = WAVELENGTH_M * DISTANCE_M / (SIDE * PIXEL_M)
HC_EV_M = 6.62607015e-34 * 299792458 / 1.602176634e-19
ENERGY_EV = HC_EV_M / WAVELENGTH_M


@dataclass(frozen=True)
class Scene:
    """What is in the files. Frames have their signal about the middle, as far-field frames do."""

    object: NDArray[np.complex64]
    modes: NDArray[np.complex64]
    positions_px: NDArray[np.float64]
    counts: NDArray[np.int32]


def scene(seed: int = 1) -> Scene:
    random = np.random.default_rng(seed)

    def image(*shape: int) -> NDArray[np.complex64]:
        return (random.random(shape) + 1j * random.random(shape)).astype(np.complex64)

    steps = np.array([[0, 0], [0, 3], [1, 6], [3, 1], [4, 4], [3, 7], [6, 3]], float)
    distance = np.hypot(*np.mgrid[:SIDE, :SIDE] - SIDE / 2)
    counts = random.poisson(400 * np.exp(-distance), (N_FRAMES, SIDE, SIDE))
    modes = image(2, SIDE, SIDE) * np.array([1, 0.3], np.float32)[:, None, None]
    return Scene(image(*OBJECT_SHAPE), modes, steps + SIDE / 2, counts.astype(np.int32))


def metres(found: Scene) -> NDArray[np.float64]:
    """Positions in metres from somewhere: what is read must not depend on where."""
    return found.positions_px * PIXEL_M + 3e-6


def write_contract(path: Path, s: Scene) -> Path:
    y, x = s.positions_px.T
    np.savez(
        path,
        diffraction=np.sqrt(s.counts, dtype=np.float32) * np.float32(0.5),
        xcoords=x,
        ycoords=y,
        probeGuess=s.modes[0],
        objectGuess=s.object,
    )
    return path


def write_reconstruction(path: Path, s: Scene) -> Path:
    np.savez(path, reconstructed_object=s.object, reconstructed_probe=s.modes, algorithm="LSQML")
    return path


def write_recon_of_network(path: Path, s: Scene) -> Path:
    np.savez(path, YY_pred=s.object)
    return path


def write_npy(path: Path, s: Scene) -> Path:
    np.save(path, s.object)
    return path


def write_matlab5(path: Path, s: Scene) -> Path:
    settings = {"dx_spec": [PIXEL_M, PIXEL_M], "lambda": WAVELENGTH_M}
    members = {"object": s.object, "probe": np.moveaxis(s.modes, 0, -1), "p": settings}
    scipy.io.savemat(path, members, do_compression=True)
    return path


def write_matlab73(path: Path, s: Scene) -> Path:
    pair = np.dtype([("real", "f4"), ("imag", "f4")])
    with h5py.File(path, "w", userblock_size=512) as f:
        # MATLAB's axes (row, column, mode), stored in reverse.
        for name, values in (("object", s.object.T), ("probe", s.modes.transpose(0, 2, 1))):
            stored = np.ascontiguousarray(values).view(pair).reshape(values.shape)
            f.create_dataset(name, data=stored).attrs["MATLAB_class"] = np.bytes_("single")
        f.create_dataset("p/dx_spec", data=[[PIXEL_M], [PIXEL_M]])
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\0\x02IM")
    return path


def write_ptyr(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        f["header/kind"] = "minimal"
        f["content/obj/Sscan00G00/data"] = s.object[None]
        f["content/obj/Sscan00G00/_psize"] = [PIXEL_M, PIXEL_M]
        f["content/probe/Sscan00G00/data"] = s.modes
        f["content/positions/Sscan00G00"] = metres(s)
    return path


def write_ptyd(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        f["meta/energy"], f["meta/distance"] = ENERGY_EV / 1e3, DISTANCE_M
        f["meta/psize"] = [DETECTOR_M, DETECTOR_M]
        f["meta/propagation"] = "farfield"
        cuts = ((0, 4), (4, N_FRAMES))
        for name, (start, stop) in enumerate(cuts):
            chunk = f.create_group(f"chunks/{name}")
            chunk["data"], chunk["positions"] = s.counts[start:stop], metres(s)[start:stop]
            chunk["indices"] = np.arange(start, stop)
            weights = np.ones((stop - start, SIDE, SIDE), bool)
            weights[:, 0, 1] = False
            chunk["weights"] = weights if name else np.zeros(0)
    return path


def write_ptyrad(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        f["optimizable_tensors/obja"] = np.abs(s.object)[None, None]
        f["optimizable_tensors/objp"] = np.angle(s.object)[None, None]
        f["optimizable_tensors/probe"] = s.modes
        f["model_attributes/dx"] = PIXEL_M * 1e10
    return path


def write_ptylab_scan(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        f["ptychogram"], f["encoder"] = s.counts.astype(np.float32), metres(s)
        f["wavelength"], f["zo"], f["dxd"] = WAVELENGTH_M, DISTANCE_M, DETECTOR_M
        f["orientation"] = 0
    return path


def write_ptylab(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        f["object"] = s.object[None, None, None, None]
        f["probe"] = s.modes[None, None, :, None]
        f["dxp"], f["wavelength"], f["zo"] = PIXEL_M, WAVELENGTH_M, DISTANCE_M
    return path


def write_cdtools(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        f["obj"], f["probe"] = s.object, s.modes
        f["obj_basis"] = np.array([[0, -1], [-1, 0], [0, 0]]) * PIXEL_M
        f["translations"] = np.c_[metres(s)[:, ::-1], np.zeros(N_FRAMES)]
    return path


def write_bundle(path: Path, s: Scene) -> Path:
    write_product(path, s)
    with h5py.File(path, "a") as f:
        raw = f.create_group("raw_data")
        amplitudes = np.sqrt(s.counts, dtype=np.float32) * np.float32(0.5)
        raw.create_dataset("diffraction", data=amplitudes).attrs["axis_canonical"] = "NHW"
        raw["ycoords"], raw["xcoords"] = s.positions_px.T
        raw["probeGuess"], raw["objectGuess"] = f["probe"], f["object"]
        del f["probe_position_indexes"]
        f["probe_position_indexes"] = np.zeros(N_FRAMES, int)
    return path


def write_product(path: Path, s: Scene) -> Path:
    centred = (s.positions_px - np.array(s.object.shape) / 2) * PIXEL_M
    with h5py.File(path, "w") as f:
        f["object"], f["probe"] = s.object[None], s.modes[None]
        f["object"].attrs.update(pixel_width_m=PIXEL_M, pixel_height_m=PIXEL_M)
        f["probe_position_y_m"], f["probe_position_x_m"] = centred.T
        f["probe_position_indexes"] = np.arange(N_FRAMES)
        f["patterns"], f["indexes"] = s.counts, np.arange(N_FRAMES)
    return path


def product_members(s: Scene) -> dict[str, Any]:
    centred = (s.positions_px - np.array(s.object.shape) / 2) * PIXEL_M
    return {
        "name": "p",
        "probe_energy_eV": ENERGY_EV,
        "detector_object_distance_m": DISTANCE_M,
        "probe_position_indexes": np.arange(N_FRAMES),
        "probe_position_y_m": centred[:, 0],
        "probe_position_x_m": centred[:, 1],
        "probe": s.modes[None],
        "object": s.object[None],
        "object_pixel_height_m": PIXEL_M,
        "object_pixel_width_m": PIXEL_M,
        "object_center_x_m": 0.0,
        "object_center_y_m": 0.0,
    }


def write_product_npz(path: Path, s: Scene) -> Path:
    """Frames lie beside it, in another order, and one more than there are positions."""
    np.savez(path, **product_members(s))
    order = np.array([3, 1, 0, 6, 2, 5, 4])
    patterns = np.concatenate([s.counts[order], s.counts[:1] + 7])
    np.savez(path.with_name("diffraction.npz"), patterns=patterns, indexes=[*order, 99])
    return path


def write_tike(path: Path, s: Scene) -> Path:
    np.savez(
        path,
        data=np.fft.ifftshift(s.counts, axes=(-2, -1)).astype(np.float32)[None],
        scan=s.positions_px[None] - SIDE / 2,
        probe=s.modes[None, None, None],
        psi=s.object[None],
    )
    return path


def write_ptychonn(path: Path, s: Scene) -> Path:
    np.savez(path, reciprocal=s.counts, scan=s.positions_px - SIDE / 2)
    return path


def write_emd(path: Path, s: Scene) -> Path:
    """Of a raster, as EMD holds no other: the frames of the scene on 1 row."""
    with h5py.File(path, "w") as f:
        f.attrs["version_major"] = 1
        root = f.create_group("datacube_root")
        root.attrs["emd_group_type"] = "root"
        cube = root.create_group("datacube")
        cube.attrs["emd_group_type"] = "array"
        cube["data"] = s.counts[None]
        calibration = root.create_group("metadatabundle/calibration")
        calibration["R_pixel_size"], calibration["R_pixel_units"] = 3 * PIXEL_M * 1e10, "A"
        calibration["Q_pixel_size"] = 1e-10 / (SIDE * PIXEL_M)
        calibration["Q_pixel_units"], calibration["QR_rotation"] = "A^-1", 0.0
    return path


def write_py4dstem(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        root = f.create_group("ptychography_root")
        root.attrs["emd_group_type"] = "root"
        root["ptychography/_object_emd/data"] = s.object
        root["ptychography/_probe_emd/data"] = s.modes
    return path


def write_cxi(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        f["cxi_version"] = 160
        f["entry_1/instrument_1/source_1/energy"] = ENERGY_EV * 1.602176634e-19
        detector = f.create_group("entry_1/instrument_1/detector_1")
        detector["distance"], detector["data"] = DISTANCE_M, s.counts
        detector["x_pixel_size"] = detector["y_pixel_size"] = DETECTOR_M
        moved = np.c_[metres(s)[:, ::-1], np.zeros(N_FRAMES)]
        f["entry_1/sample_1/geometry_1/translation"] = moved
        f["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
        f["entry_1/instrument_1/source_1/probe"] = s.modes
    return path


def write_cxi_object(path: Path, s: Scene) -> Path:
    with h5py.File(path, "w") as f:
        f["entry_1/image_1/data"] = s.object
    return path


@dataclass(frozen=True)
class Made:
    """A file that a test makes: its reader, its name, its writer, and what it holds."""

    reader: str
    name: str
    write: Callable[[Path, Scene], Path]
    has_probe: bool = True
    has_pixel: bool = True
    share: float = 1.0  # of the amplitude that is stored
    is_raster: bool = False


SCANS = (
    Made("contract", "scan.npz", write_contract, has_pixel=False, share=0.5),
    Made("cxi", "scan.cxi", write_cxi),
    Made("product", "product.h5", write_product),
    Made("bundle", "bundle.h5", write_bundle, has_pixel=False, share=0.5),
    Made("product-npz", "product.npz", write_product_npz),
    Made("tike", "tike.npz", write_tike, has_pixel=False),
    Made("ptychonn", "nn.npz", write_ptychonn, has_probe=False, has_pixel=False),
    Made("emd", "cube.h5", write_emd, has_probe=False, is_raster=True),
    Made("ptypy", "scan.ptyd", write_ptyd, has_probe=False),
    Made("ptylab", "scan.hdf5", write_ptylab_scan, has_probe=False),
)
RECONSTRUCTIONS = (
    Made("reconstruction", "recon.npz", write_reconstruction, has_pixel=False),
    Made("reconstruction", "net.npz", write_recon_of_network, has_probe=False, has_pixel=False),
    Made("npy", "object.npy", write_npy, has_probe=False, has_pixel=False),
    Made("matlab", "v5.mat", write_matlab5),
    Made("matlab", "v73.mat", write_matlab73),
    Made("cxi", "object.cxi", write_cxi_object, has_probe=False, has_pixel=False),
    Made("product", "product.h5", write_product),
    Made("product-npz", "product.npz", write_product_npz),
    Made("tike", "tike.npz", write_tike, has_pixel=False),
    Made("emd", "py4dstem.h5", write_py4dstem, has_pixel=False),
    Made("ptypy", "result.ptyr", write_ptyr),
    Made("ptyrad", "model.hdf5", write_ptyrad),
    Made("ptylab", "result.hdf5", write_ptylab),
    Made("cdtools", "result.h5", write_cdtools),
)
