from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun.errors import InputError
from ptyrun.ptycho.readers.opening import open_scan
from tests.ptycho.conftest import Scene, rewritten
from tests.ptycho.readers.test_readers import write_cxi

DATA = "entry_1/instrument_1/detector_1/data"


def packed(path: Path, code: int) -> Path:
    """Frames under a filter, each chunk as if it had packed it."""
    with rewritten(path) as file:
        frames = file[DATA][()]
        del file[DATA]
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((1, *frames.shape[1:]))
        how.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (0, 2))
        space = h5py.h5s.create_simple(frames.shape)
        group = file[DATA.rsplit("/", 1)[0]]
        data = h5py.h5d.create(group.id, b"data", h5py.h5t.NATIVE_INT32, space, how)
        for row, frame in enumerate(frames):
            data.write_direct_chunk((row, 0, 0), frame.tobytes()[:90], 0)
    return path


@pytest.mark.parametrize(
    ("code", "name"), [(32008, "bitshuffle"), (32001, "Blosc"), (60000, "unregistered")]
)
def test_a_filter_that_is_missing_is_named_when_the_scan_is_opened(
    code: int, name: str, scene: Scene, tmp_path: Path
) -> None:
    path = packed(write_cxi(tmp_path / "scan.cxi", scene), code)
    if h5py.h5z.filter_avail(code):
        pytest.skip(f"filter {code} is installed here")
    with pytest.raises(InputError, match=f"filter {code} .{name}.") as caught:
        open_scan(path)
    if "not installed" in caught.value.what:
        assert "pip install 'ptyrun[hdf5]'" in caught.value.do


def test_a_file_that_is_open_for_writing_is_named_as_that(scene: Scene, tmp_path: Path) -> None:
    path = write_cxi(tmp_path / "scan.cxi", scene)
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import h5py, sys; f = h5py.File(sys.argv[1], 'a'); print('open', flush=True); input()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(InputError, match="open in another program") as caught:
            open_scan(path)
        assert "HDF5_USE_FILE_LOCKING" in caught.value.do
    finally:
        writer.communicate("\n", timeout=300)
    assert open_scan(path).n_frames == 12


def test_a_file_that_its_writer_left_open_is_named_as_that(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "scan.cxi"
    write_cxi(tmp_path / "plain.cxi", scene)
    code = (
        "import h5py, os, sys\n"
        "with h5py.File(sys.argv[1]) as old, h5py.File(sys.argv[2], 'w', libver='latest') as new:\n"
        "    old.copy('entry_1', new)\n"
        "    new.swmr_mode = True\n"
        "    new.flush()\n"
        "    os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "plain.cxi", path], check=True)
    with pytest.raises(InputError, match="was not closed") as caught:
        open_scan(path)
    assert "h5clear" in caught.value.do


def test_a_text_of_a_file_is_read_whatever_type_it_has(tmp_path: Path) -> None:
    from ptyrun.ptycho.readers.hdf5 import Hdf5File

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["variable"], file["fixed"] = "NXcxi_ptycho", np.bytes_("NXcxi_ptycho")
        file["one"], file["two"] = ["NXcxi_ptycho"], ["a", "b"]
        file["number"] = 3
    found = Hdf5File(tmp_path / "a.h5")
    assert [found.text(name) for name in ("variable", "fixed", "one")] == ["NXcxi_ptycho"] * 3
    assert [found.text(name) for name in ("two", "number", "absent")] == [None] * 3
