"""ptyrun: ptychography model comparisons that can be interrupted and resumed.

>>> import ptyrun
>>> run = ptyrun.open_run("path/to/run")  # doctest: +SKIP
>>> run.status().state  # doctest: +SKIP
<RunState.COMPLETE: 'complete'>

What is listed in ``__all__`` is the whole of it: each name is imported when it is first asked for.
"""

__version__ = "0.1.0"

_HOMES = {
    "Evaluation": "ptyrun.ptycho.metrics.evaluation",
    "Job": "ptyrun.door.job",
    "Outcome": "ptyrun.door.all_stages",
    "PtyrunError": "ptyrun.errors",
    "Run": "ptyrun.door.run",
    "evaluate": "ptyrun.door.evaluating",
    "open_reconstruction": "ptyrun.door.opening",
    "open_run": "ptyrun.door.opening",
    "open_scan": "ptyrun.door.opening",
    "compare": "ptyrun.door.comparing",
    "plan": "ptyrun.door.comparing",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ptyrun' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
