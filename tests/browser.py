"""A headless Chromium for page tests: opens a page, and says what it logged, asked for and shows.

It speaks the DevTools protocol over a WebSocket: the browser is the system's own, nothing is downloaded.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
import websocket

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
PATIENCE_SECONDS = 30


class Page:
    """One tab.

    `problems` are console errors and warnings, uncaught exceptions and refused loads; `requests` the addresses that
    were asked for.
    """

    def __init__(self, address: str) -> None:
        # Chromium on a busy machine may take seconds for one answer.
        self._socket = websocket.create_connection(address, timeout=PATIENCE_SECONDS)
        self._numbers = itertools.count(1)
        self._loaded = False
        self.problems: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load the file as a screen of `width` by `height` CSS pixels would show it, and wait until it is drawn."""
        phone = width < 600
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded = False
        self._call("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._note(json.loads(self._socket.recv()))
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON gives it; a promise is awaited."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {_exception(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Save the whole page, not just the screen, as PNG."""
        image = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(image["data"]))

    def press(self, key: str, held: bool = False) -> None:
        """Press and release a key: a named one, an arrow or a printable one; one that is `held` repeats."""
        named = {
            "Tab": 9,
            "Enter": 13,
            "Escape": 27,
            "End": 35,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
        }
        stroke = {"key": key, "windowsVirtualKeyCode": named.get(key) or ord(key.upper())}
        down = stroke | ({"type": "rawKeyDown"} if key in named else {"type": "keyDown", "text": key})
        for repeated in (False, True) if held else (False,):
            self._call("Input.dispatchKeyEvent", **down, autoRepeat=repeated)
        self._call("Input.dispatchKeyEvent", type="keyUp", **stroke)

    def click(self, selector: str) -> None:
        """Click the middle of the first element that `selector` finds, as a mouse does."""
        x, y = self.evaluate(
            "(e => { e.scrollIntoView({block: 'center', behavior: 'instant'}); const box = e.getBoundingClientRect();"
            f" return [box.x + box.width / 2, box.y + box.height / 2] }})(document.querySelector({selector!r}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def reload(self) -> None:
        """Load the page again, as the key F5 does, and wait until it is there."""
        self._loaded = False
        self._call("Page.reload")
        while not self._loaded:
            self._note(json.loads(self._socket.recv()))

    @contextlib.contextmanager
    def running_first(self, script: str) -> Iterator[None]:
        """Meanwhile `script` runs in every page that is loaded, before its own scripts."""
        number = self._call("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]
        yield
        self._call("Page.removeScriptToEvaluateOnNewDocument", identifier=number)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose `path` in the file chooser that `selector` finds."""
        root = self._call("DOM.getDocument")["root"]["nodeId"]
        node = self._call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def save_downloads(self, folder: Path) -> None:
        """Let what pages download from now on land in `folder`."""
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def type(self, text: str) -> None:
        """Write `text` into what has the focus."""
        self._call("Input.insertText", text=text)

    def close(self) -> None:
        """Close the connection; the browser ends with its process."""
        self._socket.close()

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        event, details = message.get("method"), message.get("params", {})
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.problems.append(_exception(details["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and details["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(part.get("value", part.get("description"))) for part in details["args"]))
        elif event == "Log.entryAdded" and details["entry"]["level"] in ("error", "warning"):
            self.problems.append(details["entry"]["text"])


@contextlib.contextmanager
def open_browser() -> Iterator[Page]:
    """A fresh Chromium with one empty tab, ended on leaving.

    Skips the test where no Chromium is installed; with the environment variable CI it fails instead.
    """
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        reason = f"no Chromium: none of {', '.join(EXECUTABLES)} is on PATH"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            page = Page(_address_of_tab(Path(profile), process))
            try:
                yield page
            finally:
                page.close()
        finally:
            process.terminate()
            try:
                process.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address_of_tab(profile: Path, process: subprocess.Popen) -> str:
    """The WebSocket of the browser's one tab, once it listens."""
    announced = profile / "DevToolsActivePort"
    # The browser is on this machine: a proxy of the environment is not asked.
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"Chromium ended with status {process.returncode} before it listened")
        if announced.exists() and (lines := announced.read_text().splitlines()):
            with contextlib.suppress(OSError), opener.open(f"http://127.0.0.1:{lines[0]}/json/list") as answer:
                tabs = [target for target in json.load(answer) if target["type"] == "page"]
                if tabs:
                    return tabs[0]["webSocketDebuggerUrl"]
        time.sleep(0.05)
    pytest.fail(f"Chromium did not listen within {PATIENCE_SECONDS} seconds")


def _exception(details: dict[str, Any]) -> str:
    return details.get("exception", {}).get("description") or details["text"]
