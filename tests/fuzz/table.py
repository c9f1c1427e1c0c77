"""Which kinds of spoilt files are there, by name?"""

from __future__ import annotations

from importlib import import_module

from tests.fuzz.files import FILES
from tests.fuzz.hubs import HUBS
from tests.fuzz.kinds import Kind
from tests.fuzz.models import MODELS
from tests.fuzz.runs import RUNS

KINDS: dict[str, type[Kind]] = {kind.NAME: kind for kind in (*RUNS, *HUBS, *FILES, *MODELS)}


def kind_called(name: str) -> type[Kind]:
    """Find a kind by its name, or by ``module:class``."""
    module, colon, attribute = name.partition(":")
    if not colon:
        return KINDS[name]
    found: type[Kind] = getattr(import_module(module), attribute)
    return found
