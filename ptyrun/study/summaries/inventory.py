"""Which files does a hub consist of? ``artifact_inventory.txt``, one name a line."""

from __future__ import annotations

from ptyrun.study import analysis
from ptyrun.study.files import HubFiles, unreadable


def inventory(files: HubFiles) -> str:
    """List every file of a hub: relative, with slashes, sorted by code point, itself included.

    Raises
    ------
    InputError
        If something is not a regular file, or has a name that a line of UTF-8 text cannot hold.
    """
    names = {analysis.INVENTORY}
    for each in files.all():
        if each.kind:
            raise unreadable(each.name, f"it is {each.kind}, and a hub consists of files")
        if fault := unlistable(each.name):
            raise unreadable(each.name, fault)
        names.add(each.name)
    return "".join(f"{name}\n" for name in sorted(names))


def unlistable(name: str) -> str:
    """Say why *name* cannot stand in an inventory; empty if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8: rename it"
    if name.splitlines() != [name] or "\\" in name:
        return "its name holds a line break or a backslash: rename it"
    return ""
