"""The commands, one thin module each."""

from ptyrun.host import first_moment

first_moment.leave_on_signals()  # before the modules import what takes long
