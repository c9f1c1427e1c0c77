"""A bucket for tests: moto's server, a process of its own that keeps objects and speaks S3."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.paced import until

BESIDE = Path(__file__).resolve().parents[1] / "build/s3-server/bin/python"


def server_python() -> str:
    """The Python that has moto's server; skips where none has."""
    if importlib.util.find_spec("obstore") is None:
        pytest.skip("obstore is not installed: pip install 'ptyrun[s3]'")
    for python in (str(BESIDE), sys.executable):
        probe = [python, "-c", "import moto, flask, flask_cors"]
        with suppress(OSError):
            if not subprocess.run(probe, capture_output=True, check=False).returncode:
                return python
    pytest.skip("no S3 server here: `make bucket-server` installs one")


class Server:
    """A server of one bucket that is never empty of other people's objects."""

    def __init__(self, python: str, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._log = log
        words = [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with log.open("wb") as file:
            self.process = subprocess.Popen(words, stdout=file, stderr=file)

    def answers(self) -> bool:
        with suppress(OSError):
            request = urllib.request.Request(f"{self.endpoint}/results", method="PUT")
            urllib.request.urlopen(request, timeout=60).close()
            return True
        return False

    def fetched(self) -> list[str]:
        """What was asked for so far, by the names of objects."""
        lines = self._log.read_text(errors="replace").splitlines()
        asked = [line.partition('"GET /results/')[2].partition(" ")[0] for line in lines]
        return [name.partition("?")[0] for name in asked if name]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(server_python(), tmp_path_factory.mktemp("s3") / "log")
    try:
        until(server.answers)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def s3(server: Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A place of this test's own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return f"s3://results/{request.node.name}/run"
