"""ptyrun: ptychography model comparisons that can be interrupted and resumed."""

__version__ = "0.1.0"
