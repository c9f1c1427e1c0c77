"""The Python door: what ``import ptyrun`` offers, one call each, as the command line has it."""
