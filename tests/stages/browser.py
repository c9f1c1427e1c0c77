"""A headless Chromium, spoken to through its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tornado.websocket import WebSocketClientConnection, websocket_connect

_Result = TypeVar("_Result")

EXECUTABLE = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_MAX_MESSAGE_BYTES = 100 << 20
_START_S = 60.0


class Tab:
    """One page: what it logged and fetched, and how to ask it things."""

    def __init__(self, socket: WebSocketClientConnection, loop: asyncio.AbstractEventLoop) -> None:
        self._socket = socket
        self._loop = loop
        self._next = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        return self._wait(self._call(method, params))

    def open(self, path: Path) -> None:
        """Load a file and wait until it is loaded, pictures included."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._wait(self._until("Page.loadEventFired"))

    def evaluate(self, script: str) -> Any:
        """Value of a JavaScript expression, a promise awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def resize(self, width: int, height: int, *, mobile: bool = False, scale: float = 1.0) -> None:
        """Give the page another screen."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=mobile,
        )

    def colour_scheme(self, scheme: str) -> None:
        """``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self) -> bytes:
        """The page as it is printed."""
        printed = self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)
        return base64.b64decode(printed["data"])

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """Events of these names since the page was opened."""
        return [event["params"] for event in self.events if event["method"] in methods]

    def _wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return self._loop.run_until_complete(asyncio.wait_for(work, _START_S))

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._next += 1
        number = self._next
        await self._socket.write_message(
            json.dumps({"id": number, "method": method, "params": params})
        )
        while (message := await self._read()).get("id") != number:
            pass
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    async def _until(self, method: str) -> None:
        while not self.named(method):
            await self._read()

    async def _read(self) -> dict[str, Any]:
        text = await self._socket.read_message()
        assert text is not None, "the browser closed the connection"
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def open_browser(profile: Path) -> Iterator[Tab]:
    """Start a browser of its own and close it afterwards.

    Parameters
    ----------
    profile : Path
        An empty folder for what it writes.
    """
    assert EXECUTABLE is not None
    command = [
        EXECUTABLE,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--hide-scrollbars",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    loop = asyncio.new_event_loop()
    try:
        socket = loop.run_until_complete(asyncio.wait_for(_connect(profile), _START_S))
        try:
            yield Tab(socket, loop)
        finally:
            loop.run_until_complete(_close(socket))
    finally:
        process.terminate()
        process.wait(timeout=_START_S)
        loop.close()


async def _close(socket: WebSocketClientConnection) -> None:
    socket.close()  # in its loop: elsewhere it makes one that nobody closes
    await asyncio.sleep(0)


async def _connect(profile: Path) -> WebSocketClientConnection:
    announced = profile / "DevToolsActivePort"
    while not announced.exists() or len(announced.read_text().split()) < 2:
        await asyncio.sleep(0.05)
    port, browser_path = announced.read_text().split()
    browser = await websocket_connect(f"ws://127.0.0.1:{port}{browser_path}")
    await browser.write_message(json.dumps({"id": 1, "method": "Target.getTargets"}))
    answer = json.loads(str(await browser.read_message()))
    page = next(t for t in answer["result"]["targetInfos"] if t["type"] == "page")
    browser.close()
    return await websocket_connect(
        f"ws://127.0.0.1:{port}/devtools/page/{page['targetId']}",
        max_message_size=_MAX_MESSAGE_BYTES,
    )
