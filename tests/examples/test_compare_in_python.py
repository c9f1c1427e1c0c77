"""The notebook that plans, runs in two windows, measures and plots does so on a real scan."""

from __future__ import annotations

import asyncio
import json
import os
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from ptyrun.study.hub import PHASE_C, baseline_folder, dose_name, pinn_folder
from tests.studies import Study

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "compare_in_python.ipynb"


@pytest.fixture(scope="module")
def outputs(study: Study, tmp_path_factory: pytest.TempPathFactory) -> list[nbformat.NotebookNode]:
    folder = tmp_path_factory.mktemp("notebook")
    inputs = {
        "test_data": study.scan,
        "pinn_dir": study.pinn,
        "baseline_dir": study.baseline,
        "output_dir": folder / "run",
    }
    named = folder / "inputs.json"
    named.write_text(json.dumps({name: str(path) for name, path in inputs.items()}))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3")
    with asyncio.Runner() as runner:
        environment = {**os.environ, "INPUTS": str(named), "MPLBACKEND": "agg"}
        runner.run(client.async_execute(env=environment))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [output for cell in cells for output in cell.outputs]


def test_it_goes_through_two_windows_and_shows_figures_and_pictures(
    outputs: list[nbformat.NotebookNode],
) -> None:
    said = "".join(output.get("text", "") for output in outputs)
    assert "INCOMPLETE 3 chunks done" in said and "COMPLETE 0 left" in said
    assert "figures" in said and "measured again" in said and "('y', 'x')" in said
    shown = [output.data for output in outputs if "data" in output]
    pages = "".join(data.get("text/html", "") for data in shown)
    assert "<progress" in pages and "incomplete" in pages and "<table" in pages
    assert any("image/png" in data for data in shown)


def test_nothing_is_warned_of(outputs: list[nbformat.NotebookNode]) -> None:
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


def test_its_defaults_are_what_the_demo_makes() -> None:
    study = tomllib.loads((NOTEBOOK.parent / "demo/study.toml").read_text(encoding="utf-8"))
    (dose,), (view,), (split,) = (study[name] for name in ("dose", "view", "splits"))
    said = nbformat.read(NOTEBOOK, as_version=4).cells[1].source
    assert f'Path("{study["hub"].removeprefix("../")}")' in said
    for path in (
        f"{PHASE_C}/{dose_name(dose)}/patched_{split}.npz",
        pinn_folder(dose, view),
        baseline_folder(dose),
    ):
        assert f'hub / "{path}"' in said


def test_the_notebook_is_kept_without_outputs() -> None:
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
