"""What does ptyrun cost on top of the work itself? ``python -m ptyrun.bench`` measures it.

One module per question; each compares, in one run and in turns, what ptyrun does with the least
that anything could do, so that a ratio means the same on a fast and on a slow machine.
"""
