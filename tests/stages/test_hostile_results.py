"""Are images and curves of results what their names say, before they are used?"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ptyrun.comparison import objects
from ptyrun.errors import ExitCode, PtyrunError, UnfinishedError
from ptyrun.host import checksums
from ptyrun.paths import RunPaths
from ptyrun.stages import export, report
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


def texts_of(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts and names stand in a document, a name at the end where it is one."""
    if isinstance(document, dict):
        for name, inner in document.items():
            yield (*place, (name,))
            yield from texts_of(inner, (*place, name))
    elif isinstance(document, list):
        for number, inner in enumerate(document[:1]):
            yield from texts_of(inner, (*place, number))
    elif isinstance(document, str):
        yield place


def spoilt(document: Any, place: tuple[Any, ...]) -> None:
    *way, last = place
    for step in way:
        document = document[step]
    if isinstance(last, tuple):
        document[f"{last[0]}\ud800"] = document.pop(last[0])
    else:
        document[last] = f"{document[last]}\ud800"


def read_by_all(sent: RunPaths, document: dict[str, Any]) -> None:
    sent.results.write_text(json.dumps(document))
    checksums.write(sent.root, [sent.root / each for each in checksums.vouched(sent.root)])
    for name in ("out.csv", "out.npz", "out.h5"):
        out = sent.root.parent / name
        with contextlib.suppress(PtyrunError):
            export.export(sent.root, export.format_of(out), out, overwrite=True)
    with contextlib.suppress(PtyrunError):
        report.report(sent.root)


@pytest.fixture
def results(sent: RunPaths) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sent.results.read_text())
    document["arms"]["pinn"]["mismatch"] = "no"
    return document


def test_half_a_character_in_texts_of_results_ends_no_command(
    sent: RunPaths, results: dict[str, Any]
) -> None:
    for place in list(texts_of(results)):
        name = place[-1]
        if not isinstance(name, tuple) and name not in ("manifest_digest", "label"):
            spoilt(results, place)
    read_by_all(sent, results)
    assert "\\ud800" in (sent.root.parent / "out.csv").read_text()


@pytest.mark.slow
def test_half_a_character_anywhere_in_results_ends_no_command(
    sent: RunPaths, results: dict[str, Any]
) -> None:
    for place in texts_of(results):
        document = json.loads(json.dumps(results))
        spoilt(document, place)
        read_by_all(sent, document)


def test_results_of_other_arms_than_the_manifest_has_are_not_of_this_run(
    sent: RunPaths, results: dict[str, Any]
) -> None:
    results["arms"]["other"] = results["arms"].pop("baseline")
    results["pairs"], results["differences"] = [], []
    sent.results.write_text(json.dumps(results))
    checksums.write(sent.root, [sent.root / each for each in checksums.vouched(sent.root)])
    with pytest.raises(UnfinishedError, match="not of this run"):
        report.report(sent.root)
