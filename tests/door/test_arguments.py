from __future__ import annotations

import datetime
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ptyrun
from ptyrun.door.session import seconds
from ptyrun.errors import GeometryError, InputError, PtyrunError, UsageError
from tests.door.conftest import Example
from tests.scans import small_object


def test_what_is_masked_is_not_measured() -> None:
    image = small_object()
    unknown = np.indices(image.shape)[1] < image.shape[1] // 2
    masked: Any = np.ma.masked_array(image, unknown)
    assert 0.4 < ptyrun.evaluate(masked, image).covered.mean() < 0.6
    nowhere: Any = np.ma.masked_array(np.ones(image.shape), unknown)
    assert 0.4 < ptyrun.evaluate(image, image, nowhere).covered.mean() < 0.6
    with pytest.raises(InputError, match="infinite or masked"):
        ptyrun.evaluate(image, masked)


ODD: dict[str, tuple[Any, type[PtyrunError], str]] = {
    "ragged": ([[1, 2], [3]], GeometryError, "recon is not an image"),
    "nothing": (None, GeometryError, "recon is not an image"),
    "empty": (np.empty((0, 8)), GeometryError, r"its shape is \(0, 8\)"),
    "one line": (np.ones(8), GeometryError, r"its shape is \(8,\)"),
    "huge": (
        np.complex128(1e200) * small_object().astype(complex),
        InputError,
        "recon is out of range",
    ),
    "tiny": (
        np.complex128(1e-200) * small_object().astype(complex),
        InputError,
        "recon is out of range",
    ),
    "unknown": (np.full(small_object().shape, np.nan), GeometryError, "nothing to measure"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_image_is_refused_in_words(name: str) -> None:
    given, error, said = ODD[name]
    with pytest.raises(error, match=said):
        ptyrun.evaluate(given, small_object())


@pytest.mark.parametrize("side_px", range(1, 16))
def test_images_of_any_size_are_measured_or_refused(side_px: int) -> None:
    image = small_object()[:side_px, :side_px]
    with suppress(GeometryError, InputError):
        assert ptyrun.evaluate(image, image).metrics


def test_coverage_is_of_real_numbers_and_somewhere_positive() -> None:
    image = small_object()
    with pytest.raises(GeometryError, match="coverage is not an image"):
        ptyrun.evaluate(image, image, 1j * np.ones(image.shape))
    with pytest.raises(GeometryError, match="there is nothing to measure"):
        ptyrun.evaluate(image, image, np.zeros(image.shape, bool))
    with pytest.raises(GeometryError, match="coverage is"):
        ptyrun.evaluate(image, image, np.ones((3, 3)))


@pytest.mark.parametrize("region", [(0, 0, 9), (-1, 0, 9, 9), (0, 0, 999, 9), (0.5, 0, 9, 9), "ab"])
def test_a_region_lies_within_the_image(region: Any) -> None:
    with pytest.raises(GeometryError, match="is not a region of the image"):
        ptyrun.evaluate(small_object(), small_object(), region=region)


@pytest.mark.parametrize("width", ["1", True, [2.0], 1e9])
def test_a_width_is_a_number(width: Any) -> None:
    with pytest.raises(UsageError, match="invalid --frc-sigma"):
        ptyrun.evaluate(small_object(), small_object(), frc_sigma=width)
    assert ptyrun.evaluate(small_object(), small_object(), frc_sigma=np.float64(1)).metrics


@pytest.mark.parametrize("given", [True, [3], datetime.timedelta(seconds=3)])
def test_a_duration_is_seconds_or_text(given: Any) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        seconds(given)
    numbers: tuple[Any, ...] = (np.float64(2), np.float32(2), np.int64(2))
    assert [seconds(number) for number in numbers] == [2.0, 2.0, 2.0]


def test_numbers_of_numpy_are_numbers(example: Example) -> None:
    run: Any = ptyrun.open_run(example.folder)
    assert run.run(workers=np.int64(1), shared_folder=np.bool_(False)).stop == 0


def test_a_path_is_a_path_and_an_arm_a_name(example: Example) -> None:
    run, number = ptyrun.open_run(example.folder), 3
    calls: tuple[Any, ...] = (run.report, run.preview, run.export)
    for call in calls:
        with pytest.raises(UsageError, match="names no file or folder"):
            call(number)
    with pytest.raises(UsageError, match="there is no arm 3"):
        run.object(number)  # type: ignore[arg-type]


def test_a_run_stays_the_same_when_the_working_directory_changes(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(example.folder.parent)
    opened = ptyrun.open_run(example.folder.name)
    planned = ptyrun.plan(
        test_data=example.scan,
        tike_recon_path=example.reconstructions[0],
        output_dir="relative",
    )
    monkeypatch.chdir(tmp_path)
    assert opened.status().state == planned.status().state == "complete"


def test_what_a_call_gives_is_a_few_lines_at_a_prompt(example: Example, tmp_path: Path) -> None:
    outcome = ptyrun.compare(
        test_data=example.scan,
        output_dir=tmp_path / "run",
        tike_recon_path=example.reconstructions[0],
    )
    measured = ptyrun.evaluate(small_object(), small_object())
    run = ptyrun.open_run(example.folder)
    for shown in (outcome, outcome.results, run, run.status(), run.preview(tmp_path / "p")):
        assert len(repr(shown)) < 2000, type(shown)
    assert len(repr(measured)) < 8000
