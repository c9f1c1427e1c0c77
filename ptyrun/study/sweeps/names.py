"""What are the files of a sweep called?"""

from __future__ import annotations

FOLDER = "sweep"
RESULTS, ALL_TRIALS = "results.csv", "results_all_trials.csv"


def below(place: str, name: str) -> str:
    """Name a file of a folder below the hub; no place is the hub itself."""
    return f"{place}/{name}" if place else name


def tables_of(axis: str) -> tuple[str, str, str]:
    """Name the tables: means and spreads, every point, those for papers."""
    return f"{axis}.csv", f"{axis}_points.csv", f"{axis}.tex"


def page_of(axis: str) -> str:
    """Name the page."""
    return f"{axis}.html"
