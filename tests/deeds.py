"""A package whose predictor does harm, as far as it can: which, its batch tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packages import lay_out

MODULE = """
import ctypes, fcntl, json, os, signal, socket, subprocess, sys, termios, time
import numpy as np
from ptyrun.errors import ModelError
from ptyrun.predictors import ModelCard

def connect(told):
    socket.create_connection(("127.0.0.1", told["port"]), timeout=60).close()

HARMS = {
    "read": lambda told: open(told["bait"]).read(),
    "list": lambda told: os.listdir(os.path.dirname(told["bait"])),
    "write": lambda told: open(told["bait"], "w").close(),
    "delete": lambda told: os.unlink(told["bait"]),
    "create": lambda told: open(told["bait"] + ".new", "w").close(),
    "as a child": lambda told: subprocess.run(["cat", told["bait"]], check=True),
    "spoil the model": lambda told: open(told["model"], "w").close(),
    "spoil ptyrun": lambda told: open(told["ptyrun"], "a").close(),
    "connect": connect,
    "signal the parent": lambda told: os.kill(os.getppid(), 0),
}
MAY = {
    "write its own": lambda told: open(os.path.join(os.environ["TMPDIR"], "f"), "w").close(),
    "keep in its cache": lambda told: open(os.path.expanduser("~/kept"), "w").close(),
    "start a program": lambda told: subprocess.run([sys.executable, "-c", ""], check=True),
    "read its model": lambda told: open(told["model"]).read(),
}

def tries(told):
    for deed in {**HARMS, **MAY}.values():
        try:
            deed(told)
            yield 1
        except Exception:
            yield 2

def eat(told):
    eaten = []
    while True:
        eaten.append(np.ones(1 << 20))
        time.sleep(0.01)

def forks(told):
    if os.fork() == 0:
        os.setsid()
        open(os.path.join(os.environ["TMPDIR"], "child"), "w").close()
        time.sleep(3600)
    sys.stderr.write("before it went it said this\\n")
    sys.stderr.flush()
    os._exit(0)

def detaches(told):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve(sys.executable, ["python", "-c", "import time; time.sleep(3599)"], {})
        os._exit(0)

def deepens(told):
    os.chdir(os.environ["TMPDIR"])
    for _ in range(1200):
        os.mkdir("a")
        os.chdir("a")

def answers_unread(told):
    # It tells by their number of bytes that messages came, and reads none of them.
    os.write(int(sys.argv[1]), PATCHES)
    read = 0
    while True:
        waiting = fcntl.ioctl(int(sys.argv[1]), termios.FIONREAD, bytes(4))
        if int.from_bytes(waiting, sys.byteorder) > read:
            read = int.from_bytes(waiting, sys.byteorder)
            os.write(int(sys.argv[1]), said(event="began") + PATCHES)
        time.sleep(1e-4)

def other(descriptor, text):
    os.write(int(sys.argv[1]), text)
    time.sleep(3600)

class Nameless(type):
    @property
    def __name__(cls):
        raise SystemExit(0)

class Mute(Exception):
    def __str__(self):
        raise self

def raises(error):
    raise error

def said(**message):
    return json.dumps(message).encode() + bytes([10])

PATCHES = said(event="patches", shape=[2, 8, 8], dtype="complex64")

ENDS = [
    None,
    lambda told: ctypes.string_at(0),
    lambda told: os.abort(),
    lambda told: os._exit(0),
    lambda told: os.kill(os.getpid(), signal.SIGKILL),
    lambda told: time.sleep(3600),
    eat,
    forks,
    lambda told: other(1, b"no json" + bytes([10])),
    lambda told: other(1, b"x" * (1 << 20)),
    lambda told: other(1, said(event="error", texts=7)),
    lambda told: other(1, said(event="patches", shape="7", dtype="")),
    lambda told: sys.exit(0),
    lambda told: os.ftruncate(int(sys.argv[2]), 0),
    lambda told: os.close(int(sys.argv[1])),
    lambda told: (_ for _ in ()).throw(MemoryError("no room")),
    lambda told: os.write(int(sys.argv[1]), said(event="patches", shape=[2, 8, 8],
                                                 dtype="complex64")),
    lambda told: (os.setpgid(0, os.getpgid(os.getppid())), time.sleep(3600)),
    lambda told: (os.close(1), os.close(2)),
    lambda told: (os.write(int(sys.argv[1]), said(event="patches", shape=[2, 8, 8],
                                                  dtype="complex64")), time.sleep(0.3)),
    lambda told: [np.ones(1 << 19) for _ in range(4)] and None,
    lambda told: raises(Mute()),
    lambda told: other(1, said(event="patches", shape=[10**4000] * 3, dtype="complex64")),
    detaches,
    deepens,
    answers_unread,
    lambda told: raises(ModelError("the disk is full", "of lies", "delete your home")),
    lambda told: raises(Nameless("Nameless", (Exception,), {})()),
    lambda told: raises(type("E" * 10**6, (ModelError,), {})("x" * 10**7, "y", "z")),
]

class Harmful:
    def __init__(self, request):
        self.told = json.loads(request.path.read_text())
        self.card = ModelCard(request.patch_px, None, False, "harmful")
        self.batch_items = self.told.get("batch_items", request.batch_items)
        if "seals" in self.told:
            fcntl.fcntl(int(sys.argv[2]), 1033, self.told["seals"])

    @classmethod
    def open(cls, request):
        return cls(request)

    def predict(self, diffraction, local_offsets_px):
        end = ENDS[int(diffraction[0, 0, 0, 0])]
        if end is not None:
            end(self.told)
        patches = (diffraction[..., 0] + 1j * local_offsets_px.sum((1, 2, 3))[:, None, None])
        patches = patches.astype(np.complex64)
        if diffraction[0, 0, 0, 0] == 0 and self.told.get("tries"):
            found = list(tries(self.told))
            patches.ravel()[: len(found)] = found
        return patches

    def close(self):
        pass
"""
ENTRY_POINTS = "[ptyrun.predictors]\nharmful = harmful_predictor:Harmful\n"
SEGFAULT, ABORT, LEAVE, KILL, HANG, EAT, FORK, NO_JSON, NO_END, NO_WORDS, NO_SHAPE = range(1, 12)
EXIT, TRUNCATE, HANG_UP, NO_MEMORY, ANSWER_TWICE, LEAVE_GROUP, CLOSE_STREAMS = range(12, 19)
ANSWER_EARLY, TAKE_16_MIB, MUTE, HUGE_SHAPE, DETACH, DEEPEN, ANSWER_UNREAD = range(19, 26)
BLAME_THE_USER, NAMELESS, LONG_NAME = range(26, 29)
HARMS = (
    *("read", "list", "write", "delete", "create", "as a child", "spoil the model"),
    *("spoil ptyrun", "connect", "signal the parent"),
)
MAY = ("write its own", "keep in its cache", "start a program", "read its model")
FROM_ABI = {"connect": 4, "signal the parent": 6}


def install(folder: Path) -> Path:
    """Lay the package out in *folder* as pip does."""
    return lay_out(folder, "harmful", ENTRY_POINTS, {"harmful_predictor": MODULE})


@contextmanager
def installed(site: Path) -> Iterator[None]:
    """With the package on this process's path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        yield


def write_model(path: Path, **told: object) -> Path:
    """Write what the predictor is told."""
    path.write_text(json.dumps({"model": str(path), **told}))
    return path
