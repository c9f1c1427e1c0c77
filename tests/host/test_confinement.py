"""Can a confined process do harm? Tried in real processes, by every ABI that this kernel has."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ptyrun.host import confinement, hdf5_child
from ptyrun.host.confinement import HARMS, NEWEST_ABI, Confinement, Fence, abi

ABIS = range(1, NEWEST_ABI + 1)
# Loaded by its path, as children do; then each deed is tried, and what came of it is told.
CHILD = """
import ctypes, json, os, signal, socket, subprocess, sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
told = json.loads(sys.argv[1])
spec = spec_from_file_location("confinement", told["module"])
confinement = sys.modules["confinement"] = module_from_spec(spec)
spec.loader.exec_module(confinement)
fence = confinement.Fence((Path(told["given"]),), (Path(told["own"]),), programs=told["programs"])
got = confinement.confine(fence, told["abi"])
bait, own = Path(told["bait"]), Path(told["own"])

def connect():
    socket.create_connection(("127.0.0.1", told["port"]), timeout=60).close()

def listen():
    socket.create_server(("127.0.0.1", 0)).close()

def abstract():
    with socket.socket(socket.AF_UNIX) as end:
        end.connect("\\0" + told["abstract"])

def escape():
    (own / "link").symlink_to(bait)
    (own / "link").write_text("x")

def as_child():
    import subprocess
    code = f"open({str(bait)!r}).read()"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(done.stderr[-60:])

def environment():
    Path(f"/proc/{os.getppid()}/environ").read_bytes()

deeds = {
    "read": lambda: bait.read_bytes(),
    "list": lambda: os.listdir(bait.parent),
    "write": lambda: bait.write_text("x"),
    "delete": lambda: bait.unlink(),
    "create": lambda: (bait.parent / "new").touch(),
    "truncate": lambda: os.truncate(bait, 0),
    "link": lambda: (bait.parent / "new").symlink_to("x"),
    "rename out": lambda: ((own / "a").touch(), (own / "a").rename(bait.parent / "a")),
    "escape": escape,
    "as a child": as_child,
    "environment": environment,
    "hard link": lambda: os.link(bait, own / "h"),
    "by a link of its own": lambda: ((own / "s").symlink_to(bait), (own / "s").read_text()),
    "by the parent's root": lambda: Path(f"/proc/{os.getppid()}/root{bait}").read_text(),
    "memory of the parent": lambda: open(f"/proc/{os.getppid()}/mem", "rb").close(),
    "descriptors of the parent": lambda: os.listdir(f"/proc/{os.getppid()}/fd"),
    "a pipe with a name": lambda: os.mkfifo(bait.parent / "p"),
    "connect": connect,
    "listen": listen,
    "abstract": abstract,
    "signal": lambda: os.kill(os.getppid(), 0),
    "read what is given": lambda: Path(told["given"]).read_bytes(),
    "write what is given": lambda: Path(told["given"]).write_text("x"),
    "write its own": lambda: ((own / "f").write_text("x"), (own / "f").read_text(),
                              (own / "d").mkdir(), (own / "f").rename(own / "d/f")),
    "import": lambda: __import__("xml.dom.minidom"),
    "write nowhere": lambda: open("/dev/null", "w").close(),
}
said = {}
for name in told["deeds"]:
    try:
        deeds[name]()
        said[name] = ""
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"
new = [line.split()[1] for line in open("/proc/self/status") if line.startswith("NoNewPrivs")]
print(json.dumps({"abi": got.abi, "why_not": got.why_not, "said": said, "new": new}))
"""


@dataclass(frozen=True)
class Place:
    """A bait, what is given, a private folder, and those whom a child may want to reach."""

    folder: Path
    port: int
    abstract: str

    @property
    def bait(self) -> Path:
        return self.folder / "home/bait"

    def tried(self, *deeds: str, abi: int = NEWEST_ABI, programs: bool = True) -> dict[str, Any]:
        """What came of each deed, in a process of its own."""
        told = {
            "module": confinement.__file__, "abi": abi, "programs": programs, "deeds": deeds,
            "bait": str(self.bait), "own": str(self.folder / "own"),
            "given": str(self.folder / "data/given"),
            "port": self.port, "abstract": self.abstract,
        }  # fmt: skip
        words = [sys.executable, "-P", "-c", CHILD, json.dumps(told)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    for name in ("home/bait", "data/given"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("a secret")
    (tmp_path / "own").mkdir()
    name = f"ptyrun-test-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        unix.bind(f"\0{name}")
        unix.listen()
        yield Place(tmp_path, server.getsockname()[1], name)


def needs(wanted: int) -> None:
    if abi() < wanted:
        pytest.skip(f"this kernel has Landlock ABI {abi()}, and ABI {wanted} is needed")


@pytest.mark.parametrize("by", ABIS)
def test_nothing_outside_is_read_or_written(place: Place, by: int) -> None:
    needs(by)
    outside = ["read", "list", "write", "delete", "create", "link", "rename out"]
    outside += ["escape", "as a child", "environment", "hard link", "by a link of its own"]
    outside += ["by the parent's root", "memory of the parent", "descriptors of the parent"]
    outside += ["a pipe with a name"]
    found = place.tried(*outside, *["truncate"] * (by >= 3), abi=by)
    assert found["abi"] == by, found["why_not"]
    allowed = [deed for deed, error in found["said"].items() if not error]
    assert not allowed, found["said"]
    assert place.bait.read_text() == "a secret"
    assert sorted(path.name for path in place.bait.parent.iterdir()) == ["bait"]
    assert found["new"] == ["1"], "and no program gives it more rights"


@pytest.mark.parametrize(
    ("deed", "from_abi"),
    [
        ("truncate", 3),
        ("connect", 4),
        ("listen", 4),
        ("signal", 6),
        ("abstract", 6),
    ],
)
def test_what_a_newer_abi_stops_it_stops_and_an_older_one_does_not(
    place: Place, deed: str, from_abi: int
) -> None:
    needs(from_abi)
    stopped = place.tried(deed, abi=from_abi)["said"][deed]
    assert stopped.startswith("PermissionError"), stopped
    assert place.tried(deed, abi=from_abi - 1)["said"][deed] == ""


def test_what_is_given_is_read_the_own_folder_written_and_programs_run(place: Place) -> None:
    needs(1)
    wanted = ["read what is given", "write its own", "import", "write nowhere"]
    found = place.tried(*wanted, "write what is given")
    assert {deed: found["said"][deed] for deed in wanted} == dict.fromkeys(wanted, "")
    assert found["said"]["write what is given"].startswith("PermissionError")


def test_without_programs_nothing_but_what_is_given_is_read(place: Place) -> None:
    needs(1)
    code = f"""
import sys; sys.path.insert(0, {str(Path(confinement.__file__).parents[2])!r})
from pathlib import Path
from ptyrun.host.confinement import Fence, confine
given = Path({str(place.folder / "data/given")!r})
assert confine(Fence((given,), programs=False)).abi
assert given.read_text() == "a secret"
for path in (sys.executable, {confinement.__file__!r}):
    try:
        open(path, "rb")
    except PermissionError:
        continue
    raise SystemExit(f"{{path}} can be read")
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=300)


def test_numpy_works_in_a_confined_process() -> None:
    needs(1)
    code = """
import os
os.environ["OPENBLAS_NUM_THREADS"] = "2"
from ptyrun.host.confinement import Fence, confine
assert confine(Fence()).abi
import numpy
assert numpy.allclose(numpy.linalg.inv(numpy.eye(300)), numpy.eye(300))
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=300)


def test_where_the_kernel_cannot_it_is_not_confined_and_says_why(place: Place) -> None:
    found = place.tried("read", "import", abi=0)
    assert found["abi"] == 0
    assert "no Landlock" in found["why_not"]
    assert found["said"] == {"read": "", "import": ""}, "and goes on all the same"


def test_a_process_with_threads_is_not_confined_by_half() -> None:
    needs(1)
    code = """
import threading
from ptyrun.host.confinement import Fence, confine
over = threading.Event()
threading.Thread(target=over.wait).start()
found = confine(Fence())
over.set()
assert not found.abi and "2 threads" in found.why_not, found
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=300)


def test_open_files_and_the_length_of_files_are_limited(tmp_path: Path) -> None:
    code = f"""
import errno, signal
from ptyrun.host.confinement import limit
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit(open_files=20, file_bytes=1000)
try:
    open({str(tmp_path / "f")!r}, "wb", buffering=0).write(bytes(1000))
    open({str(tmp_path / "f")!r}, "ab", buffering=0).write(b"x")
except OSError as error:
    assert error.errno == errno.EFBIG
files = []
try:
    for _ in range(20):
        files.append(open("/dev/null"))
except OSError as error:
    assert error.errno == errno.EMFILE
else:
    raise SystemExit("no limit")
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=300)
    assert (tmp_path / "f").stat().st_size == 1000


def test_every_harm_is_either_stopped_or_let_through() -> None:
    for found in range(NEWEST_ABI + 1):
        told = Confinement(found)
        assert {*told.stopped} | {*told.let_through} == {harm.what for harm in HARMS}
        assert not {*told.stopped} & {*told.let_through}
    assert not Confinement(0).stopped
    assert Fence().writes == ()


def test_what_looks_through_an_hdf5_file_reads_nothing_else(place: Place) -> None:
    needs(1)
    # The real child, but for what it does with the file: as a fault of the HDF5 library would.
    code = f"""
import sys
sys.path.insert(0, {str(Path(confinement.__file__).parents[2])!r})
from ptyrun.host import hdf5_child
from pathlib import Path

def hostile(path, n_bytes, memory_bytes):
    assert open(path, "rb").read() == b"a secret", "its own file it reads"
    stolen = []
    for other in ({str(place.bait)!r}, {str(place.folder)!r} + "/own/x", "/etc/passwd"):
        for mode in "rw":
            try:
                open(other, mode)
                stolen.append(other)
            except OSError as error:
                pass
    yield f"stole {{stolen}}"

hdf5_child.faults = hostile
hdf5_child.main()
"""
    handle = os.open(place.folder / "data/given", os.O_RDONLY)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, str(handle), "-1"],
            pass_fds=(handle,), capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
    finally:
        os.close(handle)
    assert done.stdout.splitlines() == ['""', '"stole []"'], done.stderr
    assert hdf5_child.__file__
