"""Which metrics did one comparison find? The rows of its ``comparison_metrics.csv``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COLUMNS = ("model", "metric", "amplitude", "phase", "value")
PAIR = ("amplitude", "phase")
NUMBERS = (*PAIR, "value")


@dataclass(frozen=True)
class Row:
    """One metric of one model: amplitude and phase, or one value; None where there is none."""

    model: str
    metric: str
    amplitude: float | None = None
    phase: float | None = None
    value: float | None = None

    def component(self, name: str) -> float | None:
        """Amplitude, phase or value by its name."""
        found: float | None = getattr(self, name)
        return found

    def to_json(self) -> dict[str, Any]:
        """As ``metrics_summary.json`` has it; upstream leaves out a pair with one empty cell."""
        names = PAIR if self.amplitude is not None or self.phase is not None else ("value",)
        numbers = {name: self.component(name) for name in names}
        return {"model": self.model, "metric": self.metric} | {
            name: number for name, number in numbers.items() if number is not None
        }

    @classmethod
    def from_json(cls, document: object) -> Row:
        """Read what :meth:`to_json` gives; raises ValueError."""
        if not isinstance(document, Mapping) or not document.keys() <= set(COLUMNS):
            raise ValueError(f"a metric is {json.dumps(document)[:80]}")
        for name in ("model", "metric"):
            _require_name(document.get(name))
        for name in set(document) & set(NUMBERS):
            if type(document[name]) not in (int, float):
                raise ValueError(f"{name} of {document['model']} is {document[name]!r:.80}")
        return cls(**document)


def read_csv(text: str) -> tuple[Row, ...]:
    """Read a table of metrics.

    Raises
    ------
    ValueError
        If it is no such table; the message names line and column.
    """
    # Spreadsheets write a mark before the first cell.
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        found = f"{','.join(lines[0])!r:.80}" if lines else "there is none"
        raise ValueError(f"its first line is not {','.join(COLUMNS)}: {found}")
    rows = tuple(_row(line, number) for number, line in enumerate(lines[1:], 2))
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if (row.model, row.metric) in seen:
            raise ValueError(f"{row.metric} of {row.model} is there twice")
        seen.add((row.model, row.metric))
    return rows


def _row(line: list[str], number: int) -> Row:
    if len(line) != len(COLUMNS):
        raise ValueError(f"line {number} has {len(line)} cells, not {len(COLUMNS)}")
    try:
        model, metric = map(_require_name, line[:2])
        return Row(model, metric, *(float(cell) if cell else None for cell in line[2:]))
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error


def _require_name(name: object) -> str:
    """A name that a table's cell can hold."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or "|" in name:
        raise ValueError(f"{name!r:.80} is not a name of a model or metric")
    return name
