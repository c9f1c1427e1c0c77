"""Runs that one leaves and comes back to: windows that drive themselves, tracked sessions.

A tracked session is one process that repeats windows until a run is complete, finalizes it and
judges the outcome by its content. It says who it is in ``process.json`` and how it ended in
``completion.json``; every window, ``finalize`` and ``report`` are processes of their own below it.
"""
