"""The server: an address that only this machine reaches, a link with a token, and a good end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from pipeline.errors import PipelineError
from pipeline.studio.app import make_app

PORT = 8460
_PORTS = 20
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = ("0.0.0.0", "::")
_MOST_SOCKET_BYTES = 1 << 16


class Studio:
    """A server that listens from the beginning on, and serves when it is run."""

    def __init__(self, folder: Path, host: str, port: int | None) -> None:
        self._folder, self._host = folder, host
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(32)
        names = ("127.0.0.1", "localhost") if host in _LOOPBACK[:2] else ("[::1]", "localhost") if host == "::1" else ()
        self.names = [*(names or _own_names(host)), *(() if names else ("127.0.0.1", "localhost"))]

    @property
    def link(self) -> str:
        """What opens the page."""
        return f"http://{self.names[0]}:{self.port}/?token={self.token}"

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM; renders go on."""
        hosts = [f"{name}:{self.port}" for name in self.names]
        app = make_app(self._folder, hosts, self.token, f"dreamreel-{self.port}", _version())
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            ws_max_size=_MOST_SOCKET_BYTES,
            ws_max_queue=8,
            ws_per_message_deflate=False,  # JPEGs only grow by it
            timeout_graceful_shutdown=1,
            limit_concurrency=256,
        )
        with self._socket:
            asyncio.run(_serve(_Server(config), self._socket))


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: uvicorn would raise them again when it is over, and that it is over is all that was wanted."""
        yield


async def _serve(server: uvicorn.Server, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    end: Callable[[], None] = lambda: setattr(server, "should_exit", True)  # noqa: E731  # a def of three lines
    with contextlib.suppress(NotImplementedError):  # on Windows, Ctrl-C raises KeyboardInterrupt
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)
    await server.serve(sockets=[listening])


def _listen(host: str, port: int | None) -> socket.socket:
    """A socket on a port, or on the first that is free. Raises PipelineError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in range(PORT, PORT + _PORTS) if port is None else (port,):
        listening = socket.socket(family)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, number))
            listening.listen()
            return listening
        except (OSError, OverflowError) as error:
            listening.close()
            reason = getattr(error, "strerror", None) or str(error)
    asked = f"{host}:{port}" if port is not None else f"{host}, ports {PORT} to {PORT + _PORTS - 1}"
    raise PipelineError(f"the studio can't listen on {asked}: {reason}; choose another with --port and --host")


def _own_names(host: str) -> list[str]:
    """What a machine is called by those who reach it at an address."""
    if host not in _EVERYWHERE:
        return [f"[{host}]" if ":" in host else host]
    name = socket.gethostname()
    found = [name]
    with contextlib.suppress(OSError):
        addresses = (each[4][0] for each in socket.getaddrinfo(name, None))
        found += [f"[{each}]" if ":" in str(each) else str(each) for each in addresses]
    return list(dict.fromkeys(found))


def _version() -> str:
    try:
        return importlib.metadata.version("dreamreel")
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"
