"""A real HTCondor on this machine, on loopback alone, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.paced import until

ROOT = Path(__file__).resolve().parents[2]
BESIDE = ROOT / "build/htcondor/usr"
NEEDED = ("condor_master", "condor_submit", "condor_q", "condor_startd")
NOBODY = 65534
# One machine that is its own queue, with more of everything than there is. Only its user may ask
# anything of it; it listens to this machine alone, and looks around every second or two.
CONFIGURATION = """
RELEASE_DIR = {release}
BIN = $(RELEASE_DIR)/bin
SBIN = $(RELEASE_DIR)/sbin
LIB = $(RELEASE_DIR)/lib
LIBEXEC = {libexec}
LOCAL_DIR = {folder}
LOCAL_CONFIG_FILE =
LOCAL_CONFIG_DIR =
LOG = $(LOCAL_DIR)/log
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
LOCK = $(LOCAL_DIR)/lock
RUN = $(LOCAL_DIR)/run
DAEMON_LIST = MASTER COLLECTOR NEGOTIATOR SCHEDD STARTD
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:0
COLLECTOR_ADDRESS_FILE = $(LOG)/.collector_address
USE_SHARED_PORT = False
UID_DOMAIN = localhost
FILESYSTEM_DOMAIN = localhost
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
SEC_CLIENT_AUTHENTICATION_METHODS = FS
ALLOW_READ = $(USERNAME)@*
ALLOW_WRITE = $(USERNAME)@*
ALLOW_ADMINISTRATOR = $(USERNAME)@*
ALLOW_DAEMON = $(USERNAME)@*
ALLOW_NEGOTIATOR = $(USERNAME)@*
NUM_CPUS = 16
MEMORY = 64000
RUNBENCHMARKS = False
START = True
SUSPEND = False
PREEMPT = False
KILL = False
WANT_VACATE = False
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 2
SCHEDD_MIN_INTERVAL = 1
UPDATE_INTERVAL = 2
"""


class HTCondorError(Exception):
    """A command of HTCondor's failed."""


class HTCondor:
    """The daemons of a pool of one machine, and the commands that talk to them."""

    def __init__(self, folder: Path, as_user: list[str]) -> None:
        self.folder = folder
        self.as_user = as_user  # stands before every command
        kept = {name: word for name, word in os.environ.items() if not name.startswith("_CONDOR_")}
        self.environment = {
            **kept,
            "CONDOR_CONFIG": str(folder / "condor_config"),
            "PATH": _path(),
        }
        self._master: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until its machine takes jobs."""
        for name in ("log", "spool", "execute", "lock", "run"):
            (self.folder / name).mkdir()
        release = Path(str(shutil.which("condor_master", path=_path()))).resolve().parent.parent
        places = [release / name for name in ("libexec/condor", "lib/condor/libexec", "libexec")]
        libexec = next((place for place in places if place.is_dir()), places[0])
        (self.folder / "condor_config").write_text(
            CONFIGURATION.format(release=release, libexec=libexec, folder=self.folder)
        )
        self._master = subprocess.Popen(
            [*self.as_user, "condor_master", "-f"],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._is_ready)

    def _is_ready(self) -> bool:
        assert self._master is not None
        if self._master.poll() is not None:
            raise HTCondorError(f"condor_master ended at once:\n{self.logs()}")
        with suppress(HTCondorError):
            self.do("condor_q")
            return "Unclaimed" in self.do("condor_status", "-autoformat", "State")
        return False

    def stop(self) -> None:
        """Remove all jobs, and end the daemons by their PIDs."""
        if self._master is None:
            return
        with suppress(HTCondorError, subprocess.TimeoutExpired):
            self.do("condor_rm", "-all")
        begun = self.processes()
        self._master.send_signal(signal.SIGQUIT)
        with suppress(subprocess.TimeoutExpired):
            self._master.wait(60)
        for process in begun:
            with suppress(psutil.Error):
                process.kill()
        self._master.kill()
        self._master.wait()

    def do(self, *words: str, cwd: Path | None = None, **variables: str) -> str:
        """Run a command of HTCondor's; give what it says."""
        done = subprocess.run(
            [*self.as_user, *words],
            env={**self.environment, **variables},
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise HTCondorError(
                f"{words} ended with {done.returncode}: {done.stderr}\n{self.logs()}"
            )
        return done.stdout.strip()

    def processes(self) -> list[psutil.Process]:
        """The daemons and all that they started."""
        assert self._master is not None
        with suppress(psutil.Error):
            return psutil.Process(self._master.pid).children(recursive=True)
        return []

    def logs(self) -> str:
        logs = sorted((self.folder / "log").glob("*Log*"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for log in logs)


@pytest.fixture(scope="module")
def htcondor() -> Iterator[HTCondor]:
    """A pool of this module's own."""
    missing = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
    if missing:
        pytest.skip(
            f"no HTCondor here: {', '.join(missing)} not found; `make htcondor` gets Debian's"
        )
    as_user: list[str] = []
    if not os.getuid():
        # HTCondor takes no job from root: in a user namespace root has another name.
        as_user = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
        try:
            subprocess.run([*as_user, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"HTCondor takes no job from root, and here is no user namespace: {error}")
    with tempfile.TemporaryDirectory(prefix="ptyrun-htcondor-", ignore_cleanup_errors=True) as name:
        pool = HTCondor(Path(name), as_user)
        try:
            try:
                pool.start()
            except (HTCondorError, AssertionError, subprocess.TimeoutExpired) as error:
                pytest.skip(f"HTCondor's daemons do not come up on this machine: {error}")
            yield pool
        finally:
            pool.stop()


def _path() -> str:
    own = f"{BESIDE}/bin:{BESIDE}/sbin"
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:{own}"
