"""The notebook runs from top to bottom on a real run."""

from __future__ import annotations

import asyncio
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from ptyrun.config import CompareConfig
from ptyrun.stages import finalize, plan, run
from ptyrun.study.analysis import job_folder
from tests.studies import TRUSTED, Study

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "look_into_a_run.ipynb"


@pytest.fixture(scope="module")
def executed(study: Study, tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    return execute(study.config(tmp_path_factory.mktemp("notebook") / "run"))


def execute(config: CompareConfig) -> nbformat.NotebookNode:
    """Run every cell on a comparison that is made for it."""
    folder = config.output_dir
    plan.plan(config)
    names = {arm.name for arm in config.arms}
    run.run(folder, replace(TRUSTED, trusted_arms=tuple(names.intersection(TRUSTED.trusted_arms))))
    finalize.finalize(folder)
    # As a kill in the middle leaves it.
    with next((folder / "ledger").glob("*.jsonl")).open("a") as ledger:
        ledger.write('{"event":"commit","ar')
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3")
    # In a loop that is closed afterwards: the client's own would be found unclosed in a later test.
    with asyncio.Runner() as runner:
        environment = {**os.environ, "RUN": str(folder), "MPLBACKEND": "agg"}
        runner.run(client.async_execute(env=environment))
    return notebook


def outputs(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(
        output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


@pytest.mark.slow
def test_every_cell_runs_and_shows_arms_dimensions_and_figures(
    executed: nbformat.NotebookNode,
) -> None:
    said = outputs(executed)
    for word in ("PtychoPINN", "'group', 'y', 'x'", "aligned_y", "pinn phase", "ssim"):
        assert word in said


def test_a_run_without_networks_is_looked_into_as_well(study: Study, tmp_path: Path) -> None:
    config = study.config(tmp_path / "run")
    said = outputs(execute(replace(config, arms=config.arms[-1:])))
    for word in ("PtyChi", "aligned_y", "reconstruction phase", "ssim"):
        assert word in said


def test_its_default_is_the_run_of_the_demo() -> None:
    study = tomllib.loads((NOTEBOOK.parent / "demo/study.toml").read_text(encoding="utf-8"))
    (dose,), (view,), (split,) = (study[name] for name in ("dose", "view", "splits"))
    run = f"{study['hub'].removeprefix('../')}/{job_folder(dose, view, split)}"
    assert f'"{run}"' in nbformat.read(NOTEBOOK, as_version=4).cells[1].source


@pytest.mark.slow
def test_nothing_is_warned_of(executed: nbformat.NotebookNode) -> None:
    errors = [
        output
        for cell in executed.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.get("name") == "stderr"
    ]
    assert errors == []


def test_the_notebook_is_kept_without_outputs_and_without_ptyrun() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
            assert "import ptyrun" not in cell.source
