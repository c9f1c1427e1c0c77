"""Do the files for queues that are not here say what their queues need to hear?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONDOR = ROOT / "examples/htcondor"


def said(file: Path) -> dict[str, str]:
    """The settings of a submit file; it ends with the one `queue`."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    settings = [line for line in lines if line and not line.startswith("#")]
    assert settings[-1] == "queue"
    pairs = [line.partition("=")[::2] for line in settings[:-1]]
    return {name.strip(): value.strip() for name, value in pairs}


def test_where_no_folder_is_shared_the_run_travels_with_every_window_and_eviction() -> None:
    job = said(CONDOR / "without_shared_folder.sub")
    assert job["checkpoint_exit_code"] == "75"
    assert job["when_to_transfer_output"] == "ON_EXIT_OR_EVICT"
    run = re.search(r"--output_dir (\S+)", job["arguments"])
    assert run is not None
    assert job["transfer_checkpoint_files"] == job["transfer_output_files"] == run[1]
    assert run[1] in job["transfer_input_files"].split(", "), "what came home is gone on from"


def test_where_a_folder_is_shared_a_job_stays_while_it_ends_with_75() -> None:
    job = said(CONDOR / "shared_folder.sub")
    assert job["on_exit_remove"] == "ExitBySignal =?= True || ExitCode =!= 75"
    assert job["should_transfer_files"] == "NO"


@pytest.mark.parametrize("file", sorted(CONDOR.iterdir()), ids=lambda file: file.name)
def test_a_job_of_htcondor_finds_ptyrun(file: Path) -> None:
    assert said(file)["getenv"] == "PATH"


@pytest.mark.parametrize("name", ["Snakefile", "Snakefile.compare"])
def test_no_rule_names_a_run_as_its_output(name: str) -> None:
    text = (ROOT / "examples/snakemake" / name).read_text()
    rules = [line for line in text.splitlines() if not line.startswith("#")]
    assert not any("directory(" in line for line in rules)
    assert any("touch(" in line for line in rules)


def test_every_file_that_the_page_on_queues_names_is_there() -> None:
    text = (ROOT / "docs/queues.md").read_text()
    links = re.findall(r"\]\(\.\./([^)]+)\)", text)
    assert len(links) >= 6
    assert all((ROOT / link).exists() for link in links)
