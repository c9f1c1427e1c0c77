"""Which of a study's comparisons is a run, by the folder it lies in?"""

from __future__ import annotations

import re
from itertools import dropwhile
from pathlib import Path

_TOPS = ("analysis", "generalization")
_NUMBERED = re.compile(r"(dose|train|trial)_(\d{1,15})")
_WORDS = {"train": "trained on {} frames"}
_VIEWS = ("dense", "sparse")
_DEBUG = "_debug_v4"


def study_place(folder: Path) -> tuple[str, ...]:
    """Name dose, view, size and trial of a comparison in a study's hub; nothing of other runs.

    Examples
    --------
    >>> study_place(Path("/hub/analysis/dose_1000/dense/test"))
    ('dose 1000', 'dense')
    >>> study_place(Path("/runs/dense/dose_1000"))
    ()
    """
    parts = list(dropwhile(lambda part: part not in _TOPS, folder.parts))
    while more := list(dropwhile(lambda part: part not in _TOPS, parts[1:])):
        parts = more  # the hub may itself lie below a folder of such a name
    if len(parts) < 2 or not parts[1].startswith("dose_"):
        return ()
    said = []
    for part in parts[1:]:
        numbered = _NUMBERED.fullmatch(part)
        if numbered is not None:
            name, number = numbered.groups()
            said.append(_WORDS.get(name, f"{name} {{}}").format(number))
        elif part in _VIEWS:
            said.append(part)
    if parts[-1].endswith(_DEBUG):
        said.append("debug")
    return tuple(said)
