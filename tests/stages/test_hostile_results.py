"""Are images and curves of results what their names say, before they are used?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ptyrun.comparison import objects
from ptyrun.errors import ExitCode
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from tests.stages import hostile_run
from tests.studies import ptyrun


@pytest.fixture
def sent(tmp_path: Path) -> RunPaths:
    """A finished run, received from somebody."""
    return hostile_run.write(tmp_path / "run")


OTHER_IMAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "an object without phase": ("pinn/object", {"data_type": "float64"}),
    "a coverage of phases": ("pinn/coverage", {"data_type": "complex64"}),
    "an object of one axis": ("baseline/object", {"shape": [120]}),
    "a coverage of another shape": ("pinn/coverage", {"shape": [120, 103]}),
}


@pytest.mark.parametrize("how", OTHER_IMAGES)
def test_an_image_that_is_not_what_its_name_says_is_refused(sent: RunPaths, how: str) -> None:
    name, changed = OTHER_IMAGES[how]
    place = sent.objects / name / "zarr.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), **changed}))
    checksums.write(sent.root, [sent.root / each for each in checksums.vouched(sent.root)])
    out = sent.root.parent / "out.npz"
    done = ptyrun("export", str(sent.root), "--output", str(out))
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert f"objects.zarr/{name}" in done.stderr
    assert not out.exists()


def test_arrays_of_zarr_2_with_filters_of_their_own_are_not_opened(sent: RunPaths) -> None:
    folder = sent.objects / "pinn/object"
    (folder / "zarr.json").unlink()
    document = {
        "zarr_format": 2, "shape": [4], "chunks": [4], "dtype": "|O", "fill_value": None,
        "order": "C", "compressor": None, "filters": [{"id": "pickle"}],
    }  # fmt: skip
    (folder / ".zarray").write_text(json.dumps(document))
    assert objects.read(sent, "pinn/object") is None


@pytest.mark.parametrize("text", ["", "a,b\n1,2", "amplitude_frc,phase_frc\nx,y", "\0" * 9])
def test_curves_that_are_none_are_refused(sent: RunPaths, text: str) -> None:
    sent.frc_curves("pinn").write_text(text)
    checksums.write(sent.root, [sent.root / each for each in checksums.vouched(sent.root)])
    done = ptyrun("report", str(sent.root))
    assert done.returncode in (0, ExitCode.USAGE), done.stderr
    assert "mistake" not in done.stderr
