"""Fixtures that every part of the tests may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.studies import Study

# The same examples in every run, so that a change is to blame for a failure; and no deadline, as a
# busy machine is. HYPOTHESIS_PROFILE=default looks for new examples.
settings.register_profile("same every time", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same every time"))

# A shell starts what it puts into the background deaf to Ctrl-C, and all children would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference values and measured scans beside the project."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"no reference data: {SHARED.name}/golden is not beside the project")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    return shared / "golden"


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A scan, two untrained networks and a reconstruction."""
    from tests.studies import Study  # imports torch, which most tests do not need

    return Study.write(tmp_path_factory.mktemp("study"))
