"""Does reading frames take memory by the block, whatever the scan's size and container?"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.ptycho.conftest import Scene
from tests.ptycho.readers.test_readers import write_cxi, write_product

SIDE = 128
MOST_MIB = 300
LOOK = """
import sys
from pathlib import Path
import numpy as np
from ptyrun.ptycho.readers.opening import open_scan
scan = open_scan(Path(sys.argv[1]), None, Path(sys.argv[2]))
assert len(scan.energies()) == int(sys.argv[3])
assert scan.amplitudes(np.array([int(sys.argv[3]) - 1]))[0, 64, 64] == 3
# Of this program alone: what getrusage tells includes the process that it was begun from.
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) >> 10)
"""


def frame() -> np.ndarray:
    values = np.zeros((SIDE, SIDE), np.int32)
    values[64, 64] = 9
    return values


def positions(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(n) % 1000 + 64.0, np.arange(n) // 1000 + 64.0


def npz_frames(path: Path, name: str, n: int, how: int, one: np.ndarray) -> Path:
    header = {"descr": "<i4", "fortran_order": False, "shape": (n, SIDE, SIDE)}
    block = np.broadcast_to(one, (64, SIDE, SIDE)).tobytes()
    with (
        zipfile.ZipFile(path, "a", how) as file,
        file.open(f"{name}.npy", "w", force_zip64=True) as entry,
    ):
        np.lib.format.write_array_header_1_0(entry, header)
        for _ in range(n // 64):
            entry.write(block)
    return path


def npz(path: Path, n: int, how: int) -> Path:
    x, y = positions(n)
    with path.open("wb") as target:
        np.savez(target, xcoords=x, ycoords=y)
    return npz_frames(path, "diff3d", n, how, frame())


def hdf5_frames(file: h5py.File, name: str, n: int) -> None:
    data = file.create_dataset(
        name, (n, SIDE, SIDE), np.int32, chunks=(1, SIDE, SIDE), compression="gzip"
    )
    data[0] = frame()
    _, packed = data.id.read_direct_chunk((0, 0, 0))
    for row in range(1, n):
        data.id.write_direct_chunk((row, 0, 0), packed)


def cxi(path: Path, n: int) -> Path:
    write_cxi(path, Scene())
    with h5py.File(path, "a") as file:
        detector = file["entry_1/instrument_1/detector_1"]
        del detector["data"], detector["mask"]
        hdf5_frames(detector, "data", n)
        del file["entry_1/sample_1/geometry_1/translation"]
        x, y = positions(n)
        file["entry_1/sample_1/geometry_1/translation"] = np.stack([x, y, 0 * x], 1) * 2e-8 / 16
    return path


def product(path: Path, n: int) -> Path:
    write_product(path, Scene())
    x, y = positions(n)
    with h5py.File(path, "a") as file:
        for name in ("probe", "probe_position_indexes", "probe_position_x_m", "probe_position_y_m"):
            del file[name]
        file["probe_position_x_m"], file["probe_position_y_m"] = x * 2e-8, y * 2e-8
        hdf5_frames(file, "patterns", n)
    return path


def ptylab(path: Path, n: int) -> Path:
    x, y = positions(n)
    with h5py.File(path, "w") as file:
        hdf5_frames(file, "ptychogram", n)
        file["encoder"] = np.stack([y, x], 1) * 2e-8
        file["wavelength"], file["zo"] = 1e-10, 1.0
        file["dxd"] = 1e-10 / (SIDE * 2e-8)
    return path


def ptypy(path: Path, n: int) -> Path:
    x, y = positions(n)
    with h5py.File(path, "w") as file:
        hdf5_frames(file, "chunks/0/data", n)
        file["chunks/0/positions"] = np.stack([y, x], 1) * 2e-8
        file["meta/energy"], file["meta/distance"] = 12.39841984, 1.0
        file["meta/psize"] = 1e-10 / (SIDE * 2e-8)
    return path


def emd(path: Path, n: int) -> Path:
    with h5py.File(path, "w") as file:
        root = file.create_group("root")
        root.attrs["emd_group_type"] = "root"
        cube = root.create_group("datacube")
        shape = (n // 64, 64, SIDE, SIDE)
        data = cube.create_dataset(
            "data", shape, np.int32, chunks=(1, 1, SIDE, SIDE), compression="gzip"
        )
        data[0, 0] = frame()
        _, packed = data.id.read_direct_chunk((0, 0, 0, 0))
        for row in range(1, n):
            data.id.write_direct_chunk((*divmod(row, 64), 0, 0), packed)
        calibration = root.create_group("metadatabundle/calibration")
        calibration["R_pixel_size"], calibration["R_pixel_units"] = 100.0, "A"
        calibration["Q_pixel_size"], calibration["Q_pixel_units"] = 1 / (SIDE * 50.0), "A^-1"
        calibration["QR_rotation"] = 0.0
    return path


def tike(path: Path, n: int) -> Path:
    x, y = positions(n)
    with path.open("wb") as target:
        np.savez(target, scan=np.stack([y, x], 1))
    return npz_frames(path, "data", n, zipfile.ZIP_DEFLATED, np.fft.ifftshift(frame()))


def ptychonn(path: Path, n: int) -> Path:
    x, y = positions(n)
    with path.open("wb") as target:
        np.savez(target, scan=np.stack([y, x], 1))
    return npz_frames(path, "reciprocal", n, zipfile.ZIP_DEFLATED, frame())


def product_npz(path: Path, n: int) -> Path:
    x, y = positions(n)
    with path.open("wb") as target:
        np.savez(
            target,
            object=Scene().object,
            object_pixel_height_m=2e-8,
            object_pixel_width_m=2e-8,
            probe_position_x_m=x * 2e-8,
            probe_position_y_m=y * 2e-8,
        )
    beside = path.with_name("diffraction.npz")
    beside.unlink(missing_ok=True)
    npz_frames(beside, "patterns", n, zipfile.ZIP_DEFLATED, frame())
    return path


def bundle(path: Path, n: int) -> Path:
    x, y = positions(n)
    with h5py.File(path, "w") as file:
        hdf5_frames(file, "raw_data/diffraction", n)
        file["raw_data/xcoords"], file["raw_data/ycoords"] = x, y
    return path


CONTAINERS: dict[str, Callable[[Path, int], Path]] = {
    "NPZ": lambda path, n: npz(path, n, zipfile.ZIP_STORED),
    "packed NPZ": lambda path, n: npz(path, n, zipfile.ZIP_DEFLATED),
    "CXI": cxi,
    "product": product,
    "packed tike NPZ": tike,
    "packed PtychoNN NPZ": ptychonn,
    "packed NPZ product": product_npz,
    "bundle": bundle,
    "ptypy": ptypy,
    "PtyLab": ptylab,
    "EMD": emd,
}


def peak_mib(path: Path, cache: Path, n: int) -> int:
    words = [sys.executable, "-c", LOOK, str(path), str(cache), str(n)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("container", ["packed NPZ", "CXI"])
def test_a_scan_of_200_mb_takes_no_more_memory_than_a_small_one(
    container: str, tmp_path: Path
) -> None:
    small, large = (
        peak_mib(CONTAINERS[container](tmp_path / f"{n}.scan", n), tmp_path / "cache", n)
        for n in (64, 3200)
    )
    assert large < small + 60


@pytest.mark.slow
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_scan_of_1_gb_takes_less_than_300_mb(container: str, tmp_path: Path) -> None:
    n = 16 * 1024  # 1 GiB of int32
    path = CONTAINERS[container](tmp_path / "large.scan", n)
    assert peak_mib(path, tmp_path / "cache", n) < MOST_MIB
