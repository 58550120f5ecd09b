"""A real studio on a port, and a page's side of it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.sync.client import ClientConnection, connect

from tests.processes import dreamreel

PATIENCE = 240.0  # seconds, where other tests want the processors too


@dataclass
class Answer:
    """What the studio answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.body)


class Page:
    """Talks to a studio as its page does; every part of that can be left out or be another."""

    def __init__(self, link: str, process: subprocess.Popen[str]) -> None:
        parts = urlsplit(link)
        assert parts.port is not None
        self.link, self.port, self.process = link, parts.port, process
        self.host = f"127.0.0.1:{self.port}"
        self.token = parse_qs(parts.query)["token"][0]
        self.cookie = f"dreamreel-{self.port}={self.token}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str | None) -> Answer:
        """One request; headers are named with `_` for `-`, and None leaves one out."""
        given: dict[str, str | None] = {"Host": self.host, "Cookie": self.cookie}
        if method not in ("GET", "HEAD"):
            given |= {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None and "Content-Length" not in given:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str | None) -> Any:
        """What is there, which must be."""
        answer = self.ask("GET", path, **headers)
        assert answer.status == 200, answer.body
        return answer.json if "json" in answer.headers["content-type"] else answer.body

    def post(self, path: str, **asked: Any) -> Any:
        """What comes of a change, which must be taken."""
        answer = self.send(path, **asked)
        assert answer.status == 200, answer.body
        return answer.json

    def send(self, path: str, **asked: Any) -> Answer:
        """A change, however it is answered."""
        return self.ask("POST", path, json.dumps(asked).encode())

    def wait_for(self, run: str, holds: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE) -> dict[str, Any]:
        """The run, once something holds of it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found: dict[str, Any] = self.get(f"/api/runs/{run}")
            if holds(found):
                return found
            time.sleep(0.1)
        raise AssertionError(f"never came: {found}")

    def finished(self, run: str) -> dict[str, Any]:
        """The run, once it is over, which has to be well."""
        found = self.wait_for(run, lambda run: run["state"] in ("finished", "failed", "stopped"))
        assert found["state"] == "finished", found
        return found

    @contextmanager
    def live(self, **headers: str) -> Iterator[ClientConnection]:
        """The page's connection."""
        origin = headers.pop("Origin", f"http://{self.host}")
        given = {"Cookie": self.cookie} | headers
        with connect(f"ws://{self.host}/api/live", origin=origin, additional_headers=given) as socket:  # type: ignore[arg-type]
            yield socket


@contextmanager
def studio(folder: Path, **environment: str) -> Iterator[Page]:
    """A studio of a folder, which ends with the block."""
    process = dreamreel("studio", str(folder), "--no-browser", **environment)
    try:
        assert process.stdout is not None and process.stderr is not None
        link = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", link), (link, process.stderr.read())
        yield Page(link, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)


def told(socket: ClientConnection, kind: str, seconds: float = PATIENCE) -> dict[str, Any]:
    """The next news of a kind; pictures are left out."""
    until = time.monotonic() + seconds
    while True:
        message = socket.recv(timeout=max(0.1, until - time.monotonic()))
        if isinstance(message, str) and (news := json.loads(message))["type"] == kind:
            return dict(news)


def shown(socket: ClientConnection, seconds: float = PATIENCE) -> tuple[dict[str, Any], bytes]:
    """The next picture, and what is said of it; it is acknowledged."""
    about = told(socket, "frame", seconds)
    picture = socket.recv(timeout=seconds)
    assert isinstance(picture, bytes)
    socket.send(json.dumps({"got": about["frame"]}))
    return about, picture
