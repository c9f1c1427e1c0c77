"""Runs of several workers are those of tests/paced.py."""

from tests.paced import bench, finished, inputs

__all__ = ["bench", "finished", "inputs"]
