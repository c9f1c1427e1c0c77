"""Does a reader of another package come in by its entry point, and are its faults named?"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from ptyrun import open_reconstruction, open_scan
from ptyrun.errors import InputError
from ptyrun.ptycho.readers import formats, registry
from ptyrun.ptycho.readers.scan_npz import NpzFrames
from ptyrun.readers import (
    ForeignFile,
    Format,
    Held,
    Reader,
    ReaderCard,
    Reconstruction,
    Scan,
    ScanRequest,
)
from ptyrun.testing import ReaderContract

CARD = ReaderCard("tiles", "tiles", "scan: tiles; reconstruction: whole", "pixels", "me", "none")


def write_tiles(path: Path) -> Path:
    tiles = np.random.default_rng(1).random((5, 8, 8), np.float32)
    with path.open("wb") as file:
        np.savez(file, tiles=tiles, at=np.arange(10.0).reshape(5, 2), whole=np.eye(9) * 1j)
    return path


class Tiles:
    card = CARD

    def holds(self, file: ForeignFile) -> Held:
        is_one = file.format is Format.NPZ and "tiles" in file.npz
        return Held.SCAN | Held.RECONSTRUCTION if is_one else Held.NOTHING

    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        return Scan(
            path=file.path,
            positions_px=file.npz.array("at"),
            patch_px=8,
            source=NpzFrames(file.npz, "tiles", last_axis=False),
            intensity=request.intensity,
        )

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        return Reconstruction(file.path, file.npz.array("whole").astype(np.complex64), "Tiles")


class Failing(Tiles):
    def scan(self, file: ForeignFile, request: ScanRequest) -> Scan:
        raise OverflowError("nine is too many")

    def reconstruction(self, file: ForeignFile) -> Reconstruction:
        return Reconstruction(file.path, np.full((4, 4), np.nan, np.complex64), "Tiles")


class TestTiles(ReaderContract):
    reader = Tiles

    @pytest.fixture
    def foreign_path(self, tmp_path: Path) -> Path:
        return write_tiles(tmp_path / "tiles.npz")


def install(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    point = EntryPoint("tiles", home, "ptyrun.readers")
    for module in (registry, formats):
        monkeypatch.setattr(module, "entry_points", lambda group: [point])


def named(kind: type[Reader]) -> str:
    return f"{kind.__module__}:{kind.__name__}"


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    return write_tiles(tmp_path / "tiles.npz")


def test_without_its_reader_the_file_is_refused_with_what_it_holds(tiles: Path) -> None:
    with pytest.raises(InputError, match="its arrays are tiles, at, whole"):
        open_scan(tiles)


def test_a_reader_of_another_package_reads_and_is_named(
    tiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, named(Tiles))
    scan = open_scan(tiles, diffraction_kind="amplitude")
    with np.load(tiles) as arrays:
        assert np.array_equal(scan.amplitudes(np.arange(5)), arrays["tiles"])
        assert np.array_equal(open_reconstruction(tiles).object, arrays["whole"])
    assert scan.reader == open_reconstruction(tiles).reader == "tiles"
    assert scan.notes[-1] == "read as tiles (tiles)"


def test_faults_of_a_reader_are_named_as_its_own(
    tiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, named(Failing))
    with pytest.raises(InputError, match=r"the reader 'tiles' cannot be used\n.*nine is too many"):
        open_scan(tiles)
    with pytest.raises(InputError, match="object is not a complex64 image with finite values"):
        open_reconstruction(tiles)


def test_a_reader_that_cannot_be_imported_is_named_and_hinders_no_other(
    tiles: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, "no_such_package:Reader")
    with pytest.raises(InputError, match="the reader 'tiles' cannot be used"):
        open_scan(tiles)
    np.savez(tmp_path / "known.npz", reconstructed_object=np.eye(8) * 1j)
    assert open_reconstruction(tmp_path / "known.npz").reader == "reconstruction"


def test_a_file_of_no_known_kind_is_asked_of_readers_of_other_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "strange"
    path.write_bytes(b"XYZ" * 100)
    with pytest.raises(InputError, match="which neither NPZ nor HDF5 files do"):
        open_scan(path)
    install(monkeypatch, named(Tiles))
    with pytest.raises(InputError, match="holds no scan"):
        open_scan(path)
