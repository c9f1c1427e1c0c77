"""How are scans and reconstructions spoilt? In their bytes, and array by array."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz import scans
from tests.fuzz.calling import ptyrun
from tests.fuzz.kinds import Kind, Said
from tests.fuzz.mutation import bytes_of

PIXEL_M = 2e-8


def strange(rng: random.Random, good: np.ndarray) -> np.ndarray:
    """Another array than the good one: in type, shape or values."""
    values = np.array(good)
    way = rng.randrange(14)
    if way == 3 and not values.ndim:
        way = 2
    match way:
        case 0:
            return values.astype(
                rng.choice(("i1", "u2", "i8", "f2", "f8", "c8", "c16", "?", ">f4"))
            )
        case 1:
            return values.reshape(rng.choice(((-1,), (1, *values.shape), (*values.shape, 1))))
        case 2:
            return values.ravel()[: rng.choice((0, 1, 2, 7))]
        case 3:
            return values[
                rng.choice((slice(0, 0), slice(1), slice(None, -1), slice(None, None, 2)))
            ]
        case 4:
            return np.full(values.shape, rng.choice((0, 1, -1))).astype(values.dtype)
        case 5:
            with np.errstate(all="ignore"):
                return (values * rng.choice((1e30, -1e30, 1e-30, 1e6))).astype(values.dtype)
        case 6 | 7:
            changed = values.astype("c8" if np.iscomplexobj(values) else "f4").ravel()
            if changed.size:
                at = [rng.randrange(changed.size) for _ in range(rng.choice((1, 3, 50)))]
                changed[at] = rng.choice((np.nan, np.inf, -np.inf, 1e38, -1, 0))
            return changed.reshape(values.shape)
        case 8:
            return np.array(rng.choice(("x", "1.5", "é")))
        case 9:
            return np.array(rng.choice((0, 3, -1, 2**40, 1.5, True)))
        case 10:
            return np.zeros(3, [("a", "f4"), ("b", "i4")])
        case 11:
            return np.asfortranarray(values.T)
        case 12:
            return np.array(rng.choice((b"abc", b"\0")))
        case _:
            return np.concatenate([values.ravel()] * rng.choice((2, 30)))


class OfNpz(Kind):
    """A scan, or a reconstruction, as NPZ."""

    NAME = "npz"
    WEIGHT = 4

    @classmethod
    def folder(cls) -> str:
        return "inputs"

    @classmethod
    def make(cls, samples: Path) -> None:
        scans.write_inputs(samples / "inputs")

    def is_good(self, said: Said) -> bool:
        return said.code == 0

    def spoil(self, rng: random.Random) -> None:
        path = self.place / rng.choice(("scan.npz", "scan.npz", "recon.npz"))
        if rng.random() < 0.3:
            path.write_bytes(bytes_of(rng, path.read_bytes()))
            return
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice(sorted(members))
        match rng.randrange(8):
            case 0:
                del members[name]
            case 1:
                members[rng.choice(("nn_indices.npy", "xcoords_start.npy", "Y.npy", "x"))] = (
                    members[name]
                )
            case 2 | 3:
                members[name] = bytes_of(rng, members[name])
            case _:
                buffer = io.BytesIO()
                good = np.load(io.BytesIO(members[name]))
                np.save(buffer, strange(rng, good), allow_pickle=False)
                members[name] = buffer.getvalue()
        how = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(path, "w", how) as archive:
            for name, data in members.items():
                archive.writestr(name, data)

    def read(self, rng: random.Random) -> Iterator[Said]:
        run = self.place / "run"
        yield ptyrun(*scans.comparison(self.place, run, "plan"), "--dry-run")
        if rng.random() < 0.02:
            yield ptyrun(*scans.comparison(self.place, run))


class OfHdf5(Kind):
    """A scan as CXI or as ptychodus' product."""

    NAME = "hdf5"
    WEIGHT = 3

    @classmethod
    def make(cls, samples: Path) -> None:
        folder = samples / cls.NAME
        scans.write_inputs(folder)
        known = scans.arrays()
        counts = np.rint(1e3 * known["diffraction"] ** 2)
        metres = np.stack([known["xcoords"], known["ycoords"], 0 * known["xcoords"]], 1) * PIXEL_M
        for name, version in (("old", "earliest"), ("new", "latest")):
            with h5py.File(folder / f"cxi-{name}.h5", "w", libver=version) as file:
                file["cxi_version"] = 160
                detector = file.create_group("entry_1/instrument_1/detector_1")
                detector.create_dataset("data", data=counts.astype("i4"), chunks=(4, 16, 16),
                                        compression="gzip")  # fmt: skip
                detector["distance"] = 1.0
                detector["x_pixel_size"] = detector["y_pixel_size"] = 6.25e-4 / 2
                file["entry_1/instrument_1/source_1/wavelength"] = 1e-10
                file["entry_1/sample_1/geometry_1/translation"] = metres
                link = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
                file["entry_1/data_1/data"] = link
            with h5py.File(folder / f"product-{name}.h5", "w", libver=version) as file:
                file["object"] = known["objectGuess"][None]
                attributes = file["object"].attrs
                attributes["pixel_height_m"] = attributes["pixel_width_m"] = PIXEL_M
                attributes["center_y_m"] = attributes["center_x_m"] = 0.0
                file["probe"] = known["probeGuess"][None, None]
                file["probe_position_indexes"] = np.arange(len(metres))
                file["probe_position_x_m"] = metres[:, 0] - metres[:, 0].mean()
                file["probe_position_y_m"] = metres[:, 1] - metres[:, 1].mean()
                file["patterns"] = counts.astype("u2")
                file["indexes"] = np.arange(len(metres))

    def is_good(self, said: Said) -> bool:
        return said.code == 0

    def renew(self) -> None:
        super().renew()
        self.file = self.place / "product-old.h5"

    def spoil(self, rng: random.Random) -> None:
        self.file = self.place / f"{rng.choice(('cxi', 'product'))}-{rng.choice(('old', 'new'))}.h5"
        if rng.random() < 0.6:
            self.file.write_bytes(bytes_of(rng, self.file.read_bytes()))
            return
        with h5py.File(self.file, "r+") as file:
            names: list[str] = []
            file.visit(names.append)
            arrays = [name for name in names if isinstance(file[name], h5py.Dataset)]
            name = rng.choice(arrays)
            good: Any = file[name][()]
            attributes = dict(file[name].attrs)
            del file[name]
            if rng.random() < 0.15:
                return
            values = strange(rng, np.asarray(good))
            file[name] = values if values.dtype.kind not in "US" else str(values)
            for key, value in attributes.items():
                file[name].attrs[key] = rng.choice((value, value, -1.0, "x", np.nan, [1, 2]))

    def read(self, rng: random.Random) -> Iterator[Said]:
        words = scans.comparison(self.place, self.place / "run", "plan")
        words = [word for word in words if not word.startswith("--test_data")]
        yield ptyrun(*words, f"--test_data={self.file}", "--dry-run")


FILES: tuple[type[Kind], ...] = (OfNpz, OfHdf5)
