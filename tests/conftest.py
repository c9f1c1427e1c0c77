"""Fixtures that every part of the tests may use."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import leftovers

if TYPE_CHECKING:
    from tests.studies import Study

# The same examples in every run, so that a change is to blame for a failure; and no deadline, as a
# busy machine is. HYPOTHESIS_PROFILE=default looks for new examples.
settings.register_profile("same every time", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same every time"))

# What the shell had ignored (Ctrl-C in the background, SIGHUP under nohup), all children would
# inherit; a handler that does nothing they do not, and this process still does not hear it.
for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGUSR1):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda _number, _frame: None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())

# The terminal decides how tables are broken, and the umask who may read what is written.
for _name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(_name, None)
os.umask(0o022)

# The user's key, which marks runs as the user's own: one for all tests of a process.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="ptyrun-tests-config-")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _leaves_no_process() -> Iterator[None]:
    """Kill and name what a test leaves running: it fails, and the next one is not disturbed."""
    if not leftovers.PROC.joinpath("self/environ").exists():
        yield  # no /proc: what is left over cannot be told from what others run
        return
    before = leftovers.Before.now()
    yield
    left = before.end()
    assert not left, "the test left these processes running:\n" + "\n".join(left)


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
