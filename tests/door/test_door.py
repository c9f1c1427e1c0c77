from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr

import ptyrun
from ptyrun.door.watching import Bars
from ptyrun.errors import GeometryError, InputError, UsageError
from ptyrun.stages.status import RunState
from tests.door.conftest import Example
from tests.scans import small_object
from tests.studies import TRUSTED, Study

ROOT = Path(__file__).parents[2]
HEAVY = {"numpy", "pandas", "zarr", "h5py", "scipy", "matplotlib", "torch", "tensorflow", "click"}


def in_python(code: str, *words: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    return ran.stdout


def test_importing_it_imports_nothing_heavy_and_takes_no_time() -> None:
    names = in_python("import sys, ptyrun; print(*{n.partition('.')[0] for n in sys.modules})")
    assert not HEAVY & set(names.split())
    clock = (
        "import time; began = time.process_time()\n"
        "import ptyrun\n"
        "print(time.process_time() - began)"
    )
    assert min(float(in_python(clock)) for _ in range(3)) < 0.05


def test_asking_how_far_a_run_is_imports_nothing_heavy(example: Example) -> None:
    code = (
        "import sys, ptyrun\n"
        "assert ptyrun.open_run(sys.argv[1]).status().state.value == 'complete'\n"
        "print(*{n.partition('.')[0] for n in sys.modules})"
    )
    assert not HEAVY & set(in_python(code, str(example.folder)).split())


def test_type_checkers_are_told_of_just_what_is_there() -> None:
    stub = ast.parse(Path(ptyrun.__file__).with_suffix(".pyi").read_text())
    told = {
        alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == vars(ptyrun)["_HOMES"]
    assert {*dir(ptyrun)} == {*told, "__version__"}
    assert all(getattr(ptyrun, name).__name__ == name for name in told)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ptyrun.nothing  # type: ignore[attr-defined]


def test_a_folder_without_a_run_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a planned run"):
        ptyrun.open_run(tmp_path)


def test_what_is_read_of_a_run_is_what_lies_in_it(example: Example) -> None:
    run = ptyrun.open_run(str(example.folder))
    stored: Any = zarr.open_group(example.folder / "objects.zarr", mode="r")
    for name, read in (("object", run.object), ("coverage", run.coverage)):
        found: Any = read("first")
        assert np.array_equal(found.values, np.asarray(stored[f"first/{name}"][...]))
        assert found.coords["y"].attrs["units"] == "px"
    frc: Any = run.frc("second")
    assert frc.shape[0] == 2 and float(frc.coords["frequency"][0]) == 0
    plotted: Any = run.frc("second", "standard")
    assert plotted.coords["component"].values.tolist() == ["amplitude", "phase", "field"]
    assert 0.9 < float(plotted.coords["frequency"][-1]) <= 1
    with pytest.raises(ptyrun.PtyrunError, match="no definition 'plotted'"):
        run.frc("second", "plotted")
    assert run.plot().axes


def test_documents_name_every_definition_of_metrics(example: Example) -> None:
    run = ptyrun.open_run(example.folder)
    table: Any = run.metrics
    named = {"upstream", "standard", "own", "diagnostic"}
    assert {"upstream", "standard"} <= set(table["definition"]) <= named
    documents = (type(run).metrics.__doc__, (ROOT / "docs" / "python.md").read_text())
    for text in documents:
        assert text is not None
        assert all(f"`{name}`" in text for name in named)


def test_metrics_are_those_of_the_results(example: Example) -> None:
    table = ptyrun.open_run(example.folder).metrics
    assert isinstance(table, pd.DataFrame)
    said = json.loads((example.folder / "results.json").read_text())["arms"]
    for arm, component in (("first", "amplitude"), ("second", "phase")):
        (row,) = table.query(
            f"arm == '{arm}' and metric == 'mae' and component == '{component}' "
            "and definition == 'upstream'"
        ).itertuples()
        assert row.value == said[arm]["metrics"]["mae"][component]


def test_a_run_without_pandas_and_xarray_gives_records_and_plain_arrays(example: Example) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(pandas=None, xarray=None)\n"
        "import ptyrun\n"
        "from ptyrun.door.contents import Contents\n"
        "run = ptyrun.open_run(sys.argv[1])\n"
        "found = run.object('first')\n"
        "print(found.values.shape, found.dims, found.attrs['units'], found.coords['y'][1])\n"
        "rows = run.metrics\n"
        "kinds = {type(row['value']) for row in rows}\n"
        "print(type(rows).__name__, type(rows[0]).__name__, kinds)\n"
        "print(len(rows), *rows[0])\n"
    )
    said = in_python(code, str(example.folder)).splitlines()
    assert said[:2] == ["(96, 90) ('y', 'x') 1 1.0", "list dict {<class 'float'>}"]
    table = ptyrun.open_run(example.folder).metrics
    assert said[2] == " ".join([str(len(table)), *table])


def test_arrays_are_measured_as_finalize_measures_them(example: Example) -> None:
    run = ptyrun.open_run(example.folder)
    said = json.loads((example.folder / "results.json").read_text())
    truth = ptyrun.open_scan(example.scan).object_guess
    assert truth is not None
    found = ptyrun.evaluate(
        run.object("first").values,
        truth,
        run.coverage("first").values,
        region=said["evaluated_region_px"],
    )
    stored = said["arms"]["first"]
    assert {*found.metrics} == {*stored["metrics"]} - {"computation_time_s"}
    for kind, metrics in (("metrics", found.metrics), ("standard", found.standard)):
        for name, metric in metrics.items():
            for component in ("amplitude", "phase", "value"):
                value = stored[kind][name][component]
                assert metric[component] == (None if value is None else pytest.approx(value))


def test_what_cannot_be_measured_is_refused_by_name() -> None:
    image = small_object()
    with pytest.raises(GeometryError, match="not images of one shape"):
        ptyrun.evaluate(image, image[1:])
    with pytest.raises(UsageError, match="phase_align_method 'flat' is unknown"):
        ptyrun.evaluate(image, image, phase_align_method="flat")
    with pytest.raises(UsageError, match="invalid --frc-sigma"):
        ptyrun.evaluate(image, image, frc_sigma=-1)
    unknown = np.where(np.arange(image.shape[1]) < 9, np.nan, image)
    assert ptyrun.evaluate(unknown, image).covered.mean() < 1
    everywhere = np.ones(image.shape)
    assert ptyrun.evaluate(unknown, image, everywhere).covered.mean() < 1
    n_unknown = int(np.isnan(unknown).sum())
    with pytest.raises(InputError, match=f"the reference has no value at {n_unknown} pixels"):
        ptyrun.evaluate(image, unknown)
    with pytest.raises(InputError, match="the reference contains no usable values"):
        ptyrun.evaluate(image, np.zeros_like(image))
    for words in ("x", image.astype(object)):
        with pytest.raises(GeometryError, match="recon is not an image"):
            ptyrun.evaluate(words, image)


def test_what_names_no_file_is_refused() -> None:
    number: Any = 3
    for opened in (ptyrun.open_run, ptyrun.open_scan, ptyrun.open_reconstruction):
        with pytest.raises(UsageError, match="names no file or folder"):
            opened(number)


def test_windows_count_from_the_call_and_patches_are_read_when_sliced(
    study: Study, tmp_path: Path
) -> None:
    from ptyrun.stages import plan

    plan.plan(study.config(tmp_path / "run"))
    run = ptyrun.open_run(tmp_path / "run")
    trusted = TRUSTED.trusted_arms
    first = run.run(window="10m", max_chunks=2, trust_model=trusted)
    assert (first.stop.name, first.chunks_done) == ("INCOMPLETE", 2)
    assert run.status().state is RunState.INCOMPLETE
    patches: Any = run.patches("pinn")
    assert patches.dims == ("group", "y", "x") and patches.coords["centre_y"].attrs["units"] == "px"
    assert np.isfinite(patches[0].values).all() and np.isnan(patches[-1].values).all()
    last = run.run(window="10m", trust_model=trusted)
    assert last.stop.name == "COMPLETE"
    assert run.finalize().has_reference and run.report().html.exists()
    assert "complete" in run._repr_html_() and "groups" in run.status()._repr_html_()
    with pytest.raises(UsageError, match="there is no arm 'unet'"):
        run.object("unet")
    with pytest.raises(UsageError, match="has no patches"):
        run.patches("reconstruction")


def test_an_unknown_option_is_named_with_the_one_that_is_meant(example: Example) -> None:
    with pytest.raises(UsageError, match="no option 'max_chunk'"):
        ptyrun.open_run(example.folder).run(max_chunk=3)  # type: ignore[call-arg]


def test_a_window_of_no_length_is_refused_before_anything_is_started(example: Example) -> None:
    with pytest.raises(UsageError, match="invalid --window: 0"):
        ptyrun.open_run(example.folder).start(window=0)


@pytest.mark.slow
def test_a_run_is_completed_in_the_background_and_its_log_read(
    example: Example, tmp_path: Path
) -> None:
    run = ptyrun.plan(
        test_data=example.scan,
        output_dir=tmp_path / "run",
        tike_recon_path=example.reconstructions[0],
    )
    job = run.start(window="10m")
    seen = job.wait("10m")
    assert seen.ending is not None and seen.ending.exit_code == 0, job.tail(50)
    assert job.look().completion is not None and job.tail(1)
    assert job.stop().observed.ending == seen.ending
    assert run.status().reported and run.preview().arms["reconstruction"].picture is not None


def test_bars_are_drawn_into_a_cell_and_stand_there_when_a_task_is_over() -> None:
    drawn: list[Bars] = []

    class Handle:
        def update(self, bars: Bars) -> None:
            drawn.append(bars)

    def display(bars: Bars, **_: bool) -> Handle:
        drawn.append(bars)
        return Handle()

    bars = Bars(display)
    bars.begin("predict <b>", 8)
    bars.advance("predict <b>", 8)
    bars.end("predict <b>")
    assert len(drawn) >= 2 and "predict &lt;b&gt;" in bars._repr_html_()
    assert '<progress value="8" max="8">' in bars._repr_html_() and "8 of 8 groups" in repr(bars)
