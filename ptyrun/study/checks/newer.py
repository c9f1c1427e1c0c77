"""Which documents of a hub did a newer ptyrun write? Whether they are right is not known here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ptyrun.errors import InputError, NewerError, SchemaError
from ptyrun.host.documents import Document
from ptyrun.study import analysis
from ptyrun.study.files import HubFiles
from ptyrun.study.hub import STUDY, is_record
from ptyrun.study.identity import HubStudy
from ptyrun.study.record import Record
from ptyrun.study.summaries.parameters import Parameters


def refuse_newer(files: HubFiles) -> None:
    """See that this ptyrun knows every document of a hub; its comparisons are looked at alone.

    Raises
    ------
    NewerError
        Naming the first that a newer ptyrun wrote.
    """
    for name, kind in _documents(files):
        try:
            kind.from_json(files.text(name), name)
        except NewerError:
            raise
        except (InputError, SchemaError):
            pass  # damage, which is named by the check that is about it


def _documents(files: HubFiles) -> Iterator[tuple[str, type[Document]]]:
    fixed: dict[str, type[Document]] = {STUDY: HubStudy, analysis.PARAMETERS: Parameters}
    yield from ((name, kind) for name, kind in fixed.items() if files.exists(name))
    with suppress(InputError):  # a hub that cannot be listed is named by each check
        yield from ((each.name, Record) for each in files.all() if is_record(each.name))
