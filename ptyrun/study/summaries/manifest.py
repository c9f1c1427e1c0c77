"""Which comparisons does a study have, and how did each end? ``comparison_manifest.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ptyrun.study import analysis
from ptyrun.study.files import HubFiles, unreadable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
COUNTS = ("n_jobs", "n_success", "n_failed")
LISTS = ("jobs", "execution_results")


@dataclass(frozen=True, order=True)
class Key:
    """Dose (photons per frame), view and split: what tells comparisons of a study apart."""

    dose: float
    view: str
    split: str

    @property
    def folder(self) -> str:
        """Where the comparison lies in the hub."""
        return analysis.job_folder(self.dose, self.view, self.split)

    @property
    def metrics(self) -> str:
        """Name of its table of metrics."""
        return f"{self.folder}/{analysis.METRICS_CSV}"

    def __str__(self) -> str:
        return f"{self.view}/{self.split} at dose {self.dose:.15g}"

    @classmethod
    def of(cls, document: object) -> Key:
        """Read dose, view and split of a JSON object; raises ValueError."""
        if not isinstance(document, Mapping):
            raise ValueError(f"an entry is {document!r:.80}, not a JSON object")
        dose: Any = document.get("dose")
        if type(dose) not in (int, float) or not 0 < dose < 1e15:
            raise ValueError(f"a dose is {dose!r:.80}, not a positive number")
        return cls(dose, *(_name(document.get(name)) for name in ("view", "split")))


@dataclass(frozen=True)
class Execution:
    """How one comparison ended, and its log, relative to ``analysis/``."""

    key: Key
    returncode: int
    log_path: str

    @classmethod
    def of(cls, document: object) -> Execution:
        """Read one of ``execution_results``; raises ValueError."""
        key = Key.of(document)
        assert isinstance(document, Mapping)
        code, log = document.get("returncode"), document.get("log_path", "")
        if type(code) is not int:
            raise ValueError(f"the return code of {key} is {code!r:.80}")
        if not isinstance(log, str):
            raise ValueError(f"the log of {key} is {log!r:.80}")
        return cls(key, code, log)


@dataclass(frozen=True)
class Manifest:
    """The comparisons of a study as they were asked for and as they ended."""

    n_jobs: int
    n_success: int
    n_failed: int
    jobs: tuple[Key, ...]
    executions: tuple[Execution, ...]
    filters: Mapping[str, Any]

    @classmethod
    def load(cls, files: HubFiles) -> Manifest:
        """Read the manifest of a hub.

        Raises
        ------
        InputError
            If it is missing, or not a manifest; the message says where.
        """
        document = files.json(analysis.MANIFEST)
        try:
            return cls.read(document)
        except ValueError as error:
            raise unreadable(analysis.MANIFEST, str(error)) from error

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Manifest:
        """Read the JSON object; raises ValueError."""
        counts: dict[str, Any] = {name: document.get(name) for name in COUNTS}
        lists: dict[str, Any] = {name: document.get(name) for name in LISTS}
        for name, value in counts.items():
            if type(value) is not int:
                raise ValueError(f"{name} is {value!r:.80}, not a whole number")
        for name, value in lists.items():
            if not isinstance(value, list):
                raise ValueError(f"{name} is {value!r:.80}, not a list")
        filters = document.get("filters", {})
        return cls(
            **counts,
            jobs=tuple(Key.of(each) for each in lists["jobs"]),
            executions=tuple(Execution.of(each) for each in lists["execution_results"]),
            filters=filters if isinstance(filters, Mapping) else {},
        )

    @property
    def succeeded(self) -> tuple[Key, ...]:
        """The comparisons that ended with return code 0, in their order."""
        return tuple(each.key for each in self.executions if each.returncode == 0)

    @property
    def failed(self) -> tuple[Execution, ...]:
        """Those that did not."""
        return tuple(each for each in self.executions if each.returncode != 0)


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"a view or split is {name!r:.80}")
    return name
