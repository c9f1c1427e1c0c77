"""Metrics against dose or training size."""
