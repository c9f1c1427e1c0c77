"""Does `inspect` say what files hold, how they are read and what is doubted?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from ptyrun.cli.commands import cli
from ptyrun.door.inspecting import inspect
from tests import foreign_files as files
from tests.foreign_files import DISTANCE_M, ENERGY_EV, N_FRAMES, PIXEL_M, SIDE

SCENE = files.scene()


def test_a_scan_is_told_with_its_units_and_numbers(tmp_path: Path) -> None:
    (part,) = inspect(files.write_ptyd(tmp_path / "scan.ptyd", SCENE))["parts"]
    facts = part["facts"]
    assert (part["kind"], part["reader"]) == ("scan", "ptypy")
    assert (facts["frames"], facts["frame_px"], facts["frame_type"]) == (N_FRAMES, SIDE, "int32")
    assert facts["frames_are"] == "intensity"
    assert facts["bad_pixels"] == 1
    assert facts["stored_units"] == "metres, keV"
    known = (facts["energy_ev"], facts["distance_m"], facts["pixel_size_m"])
    assert np.allclose(known, (ENERGY_EV, DISTANCE_M, PIXEL_M))


def test_both_parts_of_a_file_are_told(tmp_path: Path) -> None:
    scan, found = inspect(files.write_tike(tmp_path / "tike.npz", SCENE))["parts"]
    assert (scan["kind"], scan["facts"]["probe_modes"]) == ("scan", 2)
    assert (found["kind"], found["facts"]["object_px"]) == ("reconstruction", [24, 21])


def test_a_reconstruction_has_a_label_only_where_its_file_tells_what_made_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "first.npz"
    image = np.exp(1j * np.random.default_rng(0).random((24, 21))).astype(np.complex64)
    for said, label in (({}, None), ({"algorithm": "LSQML"}, "PtyChi")):
        np.savez(path, allow_pickle=False, reconstructed_object=image, **said)
        (part,) = inspect(path)["parts"]
        assert part["facts"]["label"] == label
        assert ("does not say which algorithm" in " ".join(part["notes"])) is (label is None)


def test_what_plan_would_doubt_is_doubted(tmp_path: Path) -> None:
    path = files.write_contract(tmp_path / "scan.npz", SCENE)
    with np.load(path) as arrays:
        members = dict(arrays)
    far = {"xcoords": members["xcoords"] - 40, "ycoords": members["ycoords"] - 40}
    np.savez(path, **{**members, **far})
    (part, *_) = inspect(path)["parts"]
    assert any("lie wholly inside objectGuess" in doubt for doubt in part["doubts"])


def test_files_are_told_in_words_and_as_json(tmp_path: Path) -> None:
    good = files.write_npy(tmp_path / "object.npy", SCENE)
    bad = tmp_path / "text.txt"
    bad.write_text("nothing of use")
    told = CliRunner().invoke(cli, ["inspect", str(good), str(bad)])
    assert told.exit_code == 2
    assert "reconstruction, read as bare array (.npy) (npy)" in told.output
    assert "object_px          24 x 21" in told.output
    assert "not read:" in told.output
    as_json = CliRunner().invoke(cli, ["inspect", "--json", str(good)])
    assert as_json.exit_code == 0
    document = json.loads(as_json.output)
    assert document["schema"] == 1
    assert document["files"][0]["parts"][0]["facts"]["label"] == "object"


def test_a_conversion_is_told(tmp_path: Path) -> None:
    source = files.write_npy(tmp_path / "object.npy", SCENE)
    words = ["convert", str(source), "--to", str(tmp_path / "out.npz")]
    told = CliRunner().invoke(cli, words)
    assert (told.exit_code, "the reconstruction of" in told.output) == (0, True)
    again = CliRunner().invoke(cli, words)
    assert again.exit_code == 2
    assert "allow it with --overwrite" in again.output
