"""A real Chromium without a screen, driven through its DevTools pipe: real clicks, a real clipboard."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]


def find_chromium() -> str | None:
    """The browser's path, or None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """One open page."""

    def __init__(self, read: int, write: int, url: str) -> None:
        self._read, self._write = read, write
        self._number, self._buffer = 0, b""
        self._session: str | None = None
        self.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a DevTools method."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {} if self._session is None else {"sessionId": self._session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self) -> Any:
        while b"\0" not in self._buffer:
            assert select.select([self._read], [], [], 60)[0], "the browser is silent"
            block = os.read(self._read, 1 << 16)
            assert block, "the browser has gone"
            self._buffer += block
        first, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(first)

    def evaluate(self, script: str) -> Any:
        """What a script comes to."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        place = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView();"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)


@contextmanager
def open_page(browser: str, url: str, profile: Path) -> Iterator[Page]:
    """A page in a browser of its own, which ends with the block."""
    (in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()
    line = f'exec "$0" "$@" 3<&{in_read} 4>&{out_write}'
    command = ["bash", "-c", line, browser, *_FLAGS, f"--user-data-dir={profile}"]
    silence = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, pass_fds=(in_read, out_write), **silence)  # type: ignore[call-overload]
    os.close(in_read)
    os.close(out_write)
    try:
        yield Page(out_read, in_write, url)
    finally:
        os.close(in_write)
        os.close(out_read)
        process.terminate()
        process.wait(30)
