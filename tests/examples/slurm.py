"""A real Slurm on this machine, on loopback alone, for as long as a test needs it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.paced import until

NEEDED = ("slurmctld", "slurmd", "sbatch", "munged")
# No cgroup, no accounting, more CPUs than there are; a job that was put back waits 6 s, not 121.
# Daemons and sessions of a busy machine answer late: what takes Slurm's patience is given long.
CONFIGURATION = """
ClusterName=queue
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=300
SlurmdTimeout=600
BatchStartTimeout=300
MessageTimeout=60
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=100000
SlurmdParameters=config_overrides
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 Port={node_port} CPUs=8 RealMemory=20000
PartitionName=low Nodes=localhost Default=YES State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high Nodes=localhost State=UP PriorityTier=10 PreemptMode=OFF
"""


class SlurmError(Exception):
    """A command of Slurm's failed."""


class Slurm:
    """The daemons of a cluster of one node, and the commands that talk to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "etc/slurm.conf")}
        for name in [name for name in self.environment if name.startswith(("SBATCH_", "SLURM_J"))]:
            del self.environment[name]
        self._munged: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until its node is idle."""
        for name in ("etc", "state", "spool", "log", "run"):
            (self.folder / name).mkdir()
        key = self.folder / "etc/munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        ports = _free_ports(2)
        (self.folder / "etc/slurm.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                user=getpass.getuser(),
                host=socket.gethostname().partition(".")[0],
                control_port=ports[0],
                node_port=ports[1],
            )
        )
        place = self.folder
        files = {
            "key-file": key,
            "socket": place / "run/munge.socket",
            "pid-file": place / "run/munged.pid",
            "log-file": place / "log/munged.log",
            "seed-file": place / "run/munged.seed",
        }
        self.do("munged", *(f"--{word}={path}" for word, path in files.items()), "--num-threads=2")
        self.do("slurmctld")
        self.do("slurmd", "-N", "localhost")
        until(lambda: self._node_state().startswith("idle"))

    def stop(self) -> None:
        """Cancel what is there, and end the daemons by their PIDs."""
        with suppress(SlurmError):
            self.do("scancel", "--user", getpass.getuser())
        for name in ("slurmd", "slurmctld", "munged"):
            file = self.folder / f"run/{name}.pid"
            with suppress(OSError, ValueError, psutil.Error):
                daemon = psutil.Process(int(file.read_text()))
                daemon.terminate()
                with suppress(psutil.TimeoutExpired):
                    daemon.wait(60)
                    continue
                daemon.kill()

    def do(self, *words: str, cwd: Path | None = None, **variables: str) -> str:
        """Run a command of Slurm's; give what it says."""
        done = subprocess.run(
            words,
            env={**self.environment, **variables},
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise SlurmError(f"{words} ended with {done.returncode}: {done.stderr}\n{self.logs()}")
        return done.stdout.strip()

    def logs(self) -> str:
        logs = sorted((self.folder / "log").glob("*.log"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for log in logs)

    def _node_state(self) -> str:
        with suppress(SlurmError):
            return self.do("sinfo", "--noheader", "--format=%t").splitlines()[0]
        return ""

    def job(self, number: str) -> dict[str, str]:
        """What Slurm knows of a job, such as JobState and Restarts."""
        said = self.do("scontrol", "show", "job", "--oneliner", number)
        return dict(word.partition("=")[::2] for word in said.split() if "=" in word)

    def state(self, number: str) -> str:
        return self.job(number)["JobState"]


def _free_ports(count: int) -> list[int]:
    taken = [socket.socket() for _ in range(count)]
    try:
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]
    finally:
        for each in taken:
            each.close()


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    """A cluster of this module's own."""
    missing = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
    if missing:
        pytest.skip(
            f"no Slurm here: {', '.join(missing)} not found; "
            "Debian has it: apt-get install slurmctld slurmd slurm-client munge"
        )
    if os.getuid():
        pytest.skip("Slurm's node daemon starts jobs for others, which takes root")
    with tempfile.TemporaryDirectory(prefix="ptyrun-slurm-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # munged wants its socket to be within everybody's reach
        cluster = Slurm(Path(folder))
        cluster.environment["PATH"] = _path()
        try:
            try:
                cluster.start()
            except (SlurmError, AssertionError, subprocess.TimeoutExpired) as error:
                pytest.skip(f"Slurm's daemons do not come up on this machine: {error}")
            yield cluster
        finally:
            cluster.stop()


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
