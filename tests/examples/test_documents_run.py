"""Do the commands in the documents do what is said of them?"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ptyrun.cli.commands import cli

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 900
PROGRAMS = {
    "ptyrun": f"#!{sys.executable} -P\nfrom ptyrun.cli.main import main\nmain()\n",
    "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
    "pip": f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n',
}
DOCUMENTS = sorted(
    [ROOT / "README.md", *(p for p in (ROOT / "docs").rglob("*.md") if "generated" not in p.parts)]
)


def blocks(path: Path) -> Iterator[tuple[str, str, str]]:
    """Language, remark and text of each block of code in a document."""
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```", text, re.M | re.S):
        yield found[1], found[2] or "", found[3]


def environment(folder: Path) -> dict[str, str]:
    """Where the programs of the documents are found, by their names."""
    programs, site = folder / "programs", folder / "site"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PIP_TARGET": str(site),
        "PIP_NO_BUILD_ISOLATION": "0",  # pip means by 0: do not isolate, so that no index is asked
        "PYTHONPATH": os.pathsep.join((str(site), str(ROOT))),
        "BROWSER": "true",  # what `--open` calls
    }


def do(text: str, folder: Path, known: dict[str, str]) -> None:
    """Have a shell do it in *folder*."""
    done = subprocess.run(
        ["bash", "-eu", "-c", text],
        cwd=folder,
        env=known,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def run_in(folder: Path, *, slow: bool) -> None:
    """Do in *folder* what the tutorial says."""
    known = environment(folder)
    for language, remark, text in blocks(ROOT / "docs/tutorial.md"):
        if language == "bash" and remark in ("", *(["slow"] if slow else [])):
            do(text, folder, known)
        elif "." in remark:
            (folder / remark).parent.mkdir(exist_ok=True)
            (folder / remark).write_text(text)


@pytest.mark.slow
def test_the_tutorials_first_comparison_ends_in_a_report(tmp_path: Path) -> None:
    run_in(tmp_path, slow=False)
    page = (tmp_path / "runs/first/report/index.html").read_text()
    assert "first" in page
    assert "second" in page
    assert (tmp_path / "first.csv").is_file()


@pytest.mark.slow
def test_the_whole_tutorial_does_what_it_says(tmp_path: Path) -> None:
    run_in(tmp_path, slow=True)
    assert "flat" in (tmp_path / "runs/own/report/index.html").read_text()
    assert [*(tmp_path / "hub").rglob("*.stage.json")]


# In this order: what runs in the background is there to be waited for, and pruning comes last.
ON_A_FINISHED_RUN = (
    *("run", "finalize", "start", "wait", "logs", "stop"),
    *("status", "preview", "report", "verify", "export", "prune"),
)


@pytest.mark.slow
def test_the_readmes_comparison_and_what_is_said_of_a_finished_run_work(tmp_path: Path) -> None:
    known = environment(tmp_path)
    making = next(
        text for _, name, text in blocks(ROOT / "docs/tutorial.md") if "make_scan" in name
    )
    (tmp_path / "make_scan.py").write_text(making)
    do("python make_scan.py", tmp_path, known)
    smallest = next(text for *_, text in blocks(ROOT / "README.md") if "--arm name=first" in text)
    do(smallest, tmp_path, known)
    (tmp_path / "RUN").symlink_to("runs/first")
    calls = sorted({call.strip() for path in DOCUMENTS for call in said(path) if " RUN" in call})
    done = [
        call
        for kind in ON_A_FINISHED_RUN
        for call in calls
        if call.split()[0] == kind and not re.search(r"\.\.\.|tcp://|s3://", call)
    ]
    assert len(done) >= len(ON_A_FINISHED_RUN)
    for number, call in enumerate(done):
        do(f"ptyrun {call.replace('results.h5', f'{number}.h5')}", tmp_path, known)
        if call.startswith("start"):
            do("ptyrun wait RUN", tmp_path, known)


@pytest.mark.slow
def test_the_python_of_the_documents_works_on_two_reconstructions(tmp_path: Path) -> None:
    known = environment(tmp_path)
    tutorial, python, metric = (
        [*blocks(ROOT / "docs" / name)] for name in ("tutorial.md", "python.md", "how-to/metric.md")
    )
    made = next(text for _, name, text in tutorial if "make_scan" in name)
    (tmp_path / "make_scan.py").write_text(made)
    do("python make_scan.py", tmp_path, known)
    two = next(text for language, _, text in python if "mine.npz" in text)
    image = "image = np.load('second.npz')['reconstructed_object']\n"
    (tmp_path / "two.py").write_text(f"import numpy as np\nimport ptyrun\n{image}{two}")
    do("python two.py", tmp_path, known)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/first").symlink_to(tmp_path / "first")
    (score,) = [text for language, _, text in metric if language == "python"]
    (tmp_path / "score.py").write_text(f"{score}\nassert [*scores] == ['first', 'mine'], scores\n")
    do("python score.py", tmp_path, known)


@pytest.mark.slow
def test_the_readmes_study_is_made_and_looked_at(tmp_path: Path) -> None:
    known = environment(tmp_path)
    making = next(
        text for _, name, text in blocks(ROOT / "docs/tutorial.md") if "make_scan" in name
    )
    (tmp_path / "make_scan.py").write_text(making)
    do("python make_scan.py && mv scan.npz base.npz", tmp_path, known)
    study = next(text for *_, text in blocks(ROOT / "README.md") if "study run --hub" in text)
    do(study.replace("--dose 1000 10000", "--dose 1000"), tmp_path, known)
    looks = [call for call in said(ROOT / "docs/study.md") if call.startswith("study ")][:5]
    assert [call.split()[1] for call in looks] == ["init", "plan", "run", "status", "report"]
    for call in looks[:2] + looks[3:]:
        do(f"ptyrun {call}", tmp_path, known)


def said(path: Path) -> Iterator[str]:
    """Each call of ptyrun in a document's blocks."""
    for language, _, text in blocks(path):
        if language == "bash":
            for line in text.replace("\\\n", " ").splitlines():
                for call in re.findall(
                    r"(?:^|&& |until |\$\()(?:\.venv/bin/)?ptyrun ([^;|&#)]+)", line
                ):
                    yield re.split(r" +> ", call)[0].strip()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_in_the_documents_is_understood(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("RUN", "FOLDER", "OLD", "hub", "HUB"):
        Path(folder).mkdir(exist_ok=True)
    for call in said(path):
        if "..." in call or "…" in call:
            continue
        context = cli.make_context("ptyrun", [*shlex.split(call)])
        command: click.Command = cli
        try:
            while isinstance(command, click.Group):
                words = context._protected_args + context.args
                name, found, rest = command.resolve_command(context, words)
                assert found is not None
                context = found.make_context(name, rest, parent=context)
                command = found
        except click.UsageError as error:
            pytest.fail(f"{call}: {error}")
