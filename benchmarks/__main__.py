"""``python -m benchmarks``: take the measurements and print them."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console
from rich.table import Table

import ptyrun
from benchmarks.figures import Figure, Scale

PIPE_WIDTH = 140  # a log wraps lines itself
# In the order in which they are asked; each is a module with ``measure(scale)``.
QUESTIONS = (
    "overhead",
    "commit",
    "remaining",
    "stitching",
    "memory",
    "commands",
    "batches",
    "prediction",
    "comparison",
    "large",
    "windows",
    "study",
    "beside",
)
# Asked only by name: they take long, install packages, or need a GPU.
BY_NAME = (
    "before",
    "scale",
    "share",
    "wall",
    "workers",
    "peers",
    "resume",
    "limits",
    "kills",
    "gpu",
)


@click.command()
@click.argument("questions", nargs=-1, type=click.Choice([*QUESTIONS, *BY_NAME]))
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    help="How often each thing is measured, in turns; the median counts.",
)
@click.option("--quick", is_flag=True, help="Small sizes: a look, not a measurement.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Also write this file.")
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build"),
    show_default=True,
    help="Folder on the disk that the figures are about.",
)
@click.option(
    "--shared",
    type=click.Path(path_type=Path),
    default=Path("../shared"),
    show_default=True,
    help="Folder of reference values, for the whole comparison.",
)
@click.option(
    "--most",
    type=click.IntRange(min=1000),
    default=1_000_000,
    show_default=True,
    help="The largest size of a run, where sizes grow.",
)
def main(
    questions: tuple[str, ...],
    rounds: int,
    quick: bool,
    json_path: Path | None,
    scratch: Path,
    shared: Path,
    most: int,
) -> None:
    """Measure what ptyrun costs on top of the work itself.

    All QUESTIONS, or those named; before, scale, share, wall, workers, peers, resume, limits, kills
    and gpu only by name.
    """
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    machine = describe_machine()
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()), soft_wrap=True)
    figures: dict[str, list[Figure]] = {}
    scratch.mkdir(parents=True, exist_ok=True)
    scale = Scale(rounds, quick, scratch, shared.resolve(), scratch.resolve(), most)
    for question, found in answers(questions or QUESTIONS, scale):
        figures[question] = found
        console.print(as_table(question, found))
    console.print(f"load average now {os.getloadavg()[0]:.1f}")
    if machine["load_average"] > (psutil.cpu_count() or 1) / 2:
        console.print("[red]the machine was busy from the start: these figures are unreliable[/]")
    if json_path:
        document = {
            "schema": 1,
            "machine": machine,
            "quick": quick,
            "rounds": rounds,
            "figures": {
                question: [{**dataclasses.asdict(figure), "met": figure.met} for figure in found]
                for question, found in figures.items()
            },
        }
        json_path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def answers(questions: tuple[str, ...], scale: Scale) -> Iterator[tuple[str, list[Figure]]]:
    """Ask one question after the other, each with an empty folder of its own."""
    for question in dict.fromkeys(questions):
        module = importlib.import_module(f"benchmarks.{question}")
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="bench-", dir=scale.scratch) as folder:
            found = module.measure(dataclasses.replace(scale, scratch=Path(folder).resolve()))
        print(f"{question}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        yield question, found


def describe_machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    return {
        "ptyrun": ptyrun.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": psutil.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "load_average": round(os.getloadavg()[0], 1),
    }


def as_table(question: str, figures: list[Figure]) -> Table:
    """Show the figures of one question."""
    table = Table(title=question.replace("_", " "), title_justify="left", expand=False)
    for heading in ("figure", "median", "quartiles", "aim", ""):
        table.add_column(heading, justify="left" if heading in ("figure", "") else "right")
    for figure in figures:
        spread = " .. ".join(f"{end:.3g}" for end in figure.spread) if figure.spread else ""
        aim = "" if figure.aim is None else f"<= {figure.aim:g}"
        color = {None: "default", True: "green", False: "red"}[figure.met]
        table.add_row(
            figure.name,
            f"[{color}]{figure.value:.3g} {figure.unit}[/]",
            spread,
            aim,
            figure.note,
        )
    return table


if __name__ == "__main__":
    main()
