"""Does a predictor live in the session's own process, as debuggers and profilers want?"""

from __future__ import annotations

import os
from collections.abc import Mapping

INLINE = "PTYRUN_INLINE"


def is_inline(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the user asked for that."""
    return environment.get(INLINE, "") not in ("", "0")
