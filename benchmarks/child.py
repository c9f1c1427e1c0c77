"""Processes that measure something by themselves, with frameworks and memory of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks import python_path


def told(
    module: str,
    *words: str,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> Any:
    """Call ``python -m MODULE WORDS...``; give the JSON in the last line that it prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, *words],
        env={**os.environ, "PYTHONPATH": python_path(), **(environment or {})},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=timeout_s,
    )
    return json.loads(done.stdout.splitlines()[-1])
