from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.opening import open_scan
from tests.ptycho.conftest import Scene, rewritten
from tests.ptycho.readers.test_readers import write_cxi, write_diffraction, write_product

pytestmark = pytest.mark.usefixtures("unsuspicious")

DATA = "entry_1/instrument_1/detector_1/data"
ALL = np.arange(12)


def linked(folder: Path, scene: Scene, how: str, data: Path) -> Path:
    """A scan whose frames lie in another file."""
    path = write_cxi(folder / "scan.cxi", scene)
    with rewritten(path) as file, h5py.File(data, "w") as other:
        other["deep/frames"] = file[DATA][()]
        del file[DATA]
        named = str(data) if how.startswith("absolute") else str(data.relative_to(folder))
        if how.endswith("view"):
            layout = h5py.VirtualLayout((12, 8, 8), np.int32)
            layout[:] = h5py.VirtualSource(named, "deep/frames", (12, 8, 8))
            file.create_virtual_dataset(DATA, layout)
        elif how.endswith("group"):
            file["elsewhere"] = h5py.ExternalLink(named, "/deep")
            file[DATA] = h5py.SoftLink("/elsewhere/frames")
        else:
            file[DATA] = h5py.ExternalLink(named, "/deep/frames")
    return path


@pytest.mark.parametrize("how", ["link", "absolute link", "group", "view", "absolute view"])
def test_links_are_followed_below_the_folder_that_is_named(
    how: str, scene: Scene, tmp_path: Path
) -> None:
    (tmp_path / "raw").mkdir()
    path = linked(tmp_path, scene, how, tmp_path / "raw" / "data.h5")
    with pytest.raises(InputError, match="--follow-links"):
        open_scan(path)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="is not below"):
        open_scan(path, links_below=tmp_path / "other")
    scan = open_scan(path, links_below=tmp_path)
    expected = np.sqrt(np.rint(scene.amplitude**2))
    expected[:, 0, 1] = 0
    assert np.allclose(scan.amplitudes(ALL), expected, atol=1e-6)
    assert scan.beside == ((tmp_path / "raw" / "data.h5").resolve(),)


@pytest.mark.parametrize("how", ["link", "view"])
def test_links_do_not_leave_the_folder_through_a_symbolic_link(
    how: str, scene: Scene, tmp_path: Path
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    path = linked(inside, scene, how, inside / "data.h5")
    (inside / "data.h5").rename(outside / "data.h5")
    (inside / "data.h5").symlink_to(outside / "data.h5")
    with pytest.raises(InputError, match="is not below"):
        open_scan(path, links_below=inside)


@pytest.mark.parametrize("how", ["link", "view"])
def test_a_file_that_is_gone_is_named_and_not_read_as_zeros(
    how: str, scene: Scene, tmp_path: Path
) -> None:
    path = linked(tmp_path, scene, how, tmp_path / "data.h5")
    (tmp_path / "data.h5").unlink()
    with pytest.raises(InputError, match="not there"):
        open_scan(path, links_below=tmp_path)


def test_links_in_a_circle_of_files_end(scene: Scene, tmp_path: Path) -> None:
    path = write_cxi(tmp_path / "scan.cxi", scene)
    with rewritten(path) as file:
        del file[DATA]
        file[DATA] = h5py.ExternalLink("other.h5", "/frames")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["frames"] = h5py.ExternalLink("scan.cxi", f"/{DATA}")
    with pytest.raises(InputError):
        open_scan(path, links_below=tmp_path)


def test_the_diffraction_beside_a_product_is_one_of_its_files(scene: Scene, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.h5", scene)
    beside = write_diffraction(tmp_path / "diffraction.h5", scene)
    assert open_scan(path).beside == (beside,)
