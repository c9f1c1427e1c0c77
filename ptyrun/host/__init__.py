"""The machine: its clocks, timers and signals. The lowest package knows nothing of a run."""
