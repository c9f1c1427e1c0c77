"""Which function makes which kind of stage? Imported when it is asked for."""

from __future__ import annotations

import importlib

from ptyrun.study.others import READY
from ptyrun.study.reconstruction_stages import KIND
from ptyrun.study.task import Work

_WORKS = {
    "simulate": "simulating:simulate",
    "canonicalise": "preparing:canonicalise",
    "patch": "preparing:patch",
    "split": "preparing:split",
    "manifest": "indexes:list_doses",
    "overlap": "views:overlap_view",
    "bundle": "indexes:bundle",
    "compare-debug": "comparing:debug",
    "compare": "comparing:compare",
    "comparisons": "comparison_list:list_comparisons",
    KIND: "reconstructing:reconstruct",
    "reconstruction-manifest": "reconstructing:list_reconstructions",
    "train-pinn": "training:train",
    "train-baseline": "training:train",
    "training-manifest": "training_list:list_trainings",
    "subset": "generalizing:subset",
    "generalization": "generalizing:aggregate",
    READY: "ready:take_ready",
}


def work_of(kind: str) -> Work:
    """Give the function that makes a kind of stages."""
    module, name = _WORKS[kind].split(":")
    found: Work = getattr(importlib.import_module(f"ptyrun.study.{module}"), name)
    return found
