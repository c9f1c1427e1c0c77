"""Is each file that a scan is read from part of a run's identity?"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ptyrun.comparison.run import Run
from tests.commands import ptyrun
from tests.scans import scan_arrays, write_reconstruction

PIXEL_M = 5e-8


def product(folder: Path) -> Path:
    arrays = scan_arrays()
    image = arrays["objectGuess"]
    with h5py.File(folder / "product.h5", "w") as file:
        file["object"] = image
        file["object"].attrs.update(
            pixel_width_m=PIXEL_M, pixel_height_m=PIXEL_M, center_x_m=0.0, center_y_m=0.0
        )
        file["probe"] = arrays["probeGuess"]
        for axis, side in (("y", image.shape[0]), ("x", image.shape[1])):
            file[f"probe_position_{axis}_m"] = (arrays[f"{axis}coords"] - side / 2) * PIXEL_M
        file["probe_position_indexes"] = np.arange(60)
    with h5py.File(folder / "raw.h5", "w") as file:
        file["frames"] = np.rint((100 * arrays["diffraction"]) ** 2).astype(np.int32)
    with h5py.File(folder / "diffraction.h5", "w") as file:
        file["patterns"] = h5py.ExternalLink("raw.h5", "/frames")
        file["indexes"] = np.arange(60)
    return folder / "product.h5"


def test_a_changed_file_beside_the_scan_is_refused_by_name(tmp_path: Path) -> None:
    scan, recon = product(tmp_path), write_reconstruction(tmp_path / "recon.npz")
    words = ["--test_data", str(scan), "--tike_recon_path", str(recon)]
    words += ["--output_dir", str(tmp_path / "run")]
    refused = ptyrun("plan", *words)
    assert refused.returncode == 2
    assert "--follow-links" in refused.stderr
    words += ["--follow-links", str(tmp_path)]
    done = ptyrun("compare", *words)
    assert done.returncode == 0, done.stderr
    sources = Run(tmp_path / "run").sources
    names = [path.name for path in sources.scan_files]
    assert sorted(names) == ["diffraction.h5", "raw.h5"]
    with h5py.File(tmp_path / "raw2.h5", "w") as file, h5py.File(tmp_path / "raw.h5") as old:
        file["frames"] = old["frames"][()][::-1]
    (tmp_path / "raw2.h5").replace(tmp_path / "raw.h5")
    for command in (["compare", *words], ["finalize", "--force", str(tmp_path / "run")]):
        again = ptyrun(*command)
        assert again.returncode == 2, again.stderr
        assert "scan_file" in again.stderr


@pytest.mark.parametrize(("share", "said"), [(1.0, False), (1.01, False), (2.0, True)])
def test_a_reconstruction_whose_pixels_are_of_another_size_is_named(
    share: float, said: bool, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    scan, other = product(tmp_path), product(tmp_path / "other")
    with h5py.File(other, "a") as file:
        image = file["object"]
        image.attrs.update(pixel_width_m=PIXEL_M * share, pixel_height_m=PIXEL_M * share)
        image[...] *= np.exp(0.01j)
    words = ["--test_data", str(scan), "--tike_recon_path", str(other), "--dry-run"]
    words += ["--output_dir", str(tmp_path / "run"), "--follow-links", str(tmp_path)]
    planned = ptyrun("plan", *words)
    assert planned.returncode == 0, planned.stderr
    assert ("pixels are compared one to one" in planned.stderr) == said
