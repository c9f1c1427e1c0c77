"""A study: many comparisons in one hub folder, and the stages that lead to them.

>>> from ptyrun.study import overlap_metrics, split_positions

What is listed in ``__all__`` is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptyrun.ptycho.geometry.overlap import overlap_metrics
    from ptyrun.ptycho.geometry.splitting import split_positions
    from ptyrun.study.checks.verify import verify
    from ptyrun.study.summaries.summarize import summarize

_HOMES = {
    "overlap_metrics": "ptyrun.ptycho.geometry.overlap",
    "split_positions": "ptyrun.ptycho.geometry.splitting",
    "summarize": "ptyrun.study.summaries.summarize",
    "verify": "ptyrun.study.checks.verify",
}
__all__ = ["overlap_metrics", "split_positions", "summarize", "verify"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ptyrun.study' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
