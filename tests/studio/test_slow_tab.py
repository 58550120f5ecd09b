"""A tab that hardly reads: it sees the newest frame when it looks, and nothing piles up for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from pipeline.studio.feed import Board, Feed, Picture
from pipeline.studio.jpeg import to_jpeg
from pipeline.studio.live import Live
from tests.studio.server import PATIENCE, shown

DAY = 200_000  # frames, which take a render of three a second a day
MOST_BYTES = 4 << 20


class Source:
    """A server whose only film is made up, and whose loop runs in a thread."""

    def __init__(self) -> None:
        self.feed: Feed[Picture] = Feed()
        self.board = Board()
        self.loop: asyncio.AbstractEventLoop | None = None
        app = Starlette(routes=[WebSocketRoute("/", self._live)])
        self.server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws_max_queue=8))

    async def _live(self, socket: WebSocket) -> None:
        self.loop = asyncio.get_running_loop()
        await Live(socket, self._watch, self.board).run()

    @contextlib.asynccontextmanager
    async def _watch(self, id_: str) -> AsyncIterator[Feed[Picture]]:
        yield self.feed

    def offer(self, first: int, count: int) -> None:
        """Offer so many frames, as a render would, and as much news."""

        async def offering() -> None:
            for frame in range(first, first + count):
                self.feed.offer(Picture(frame, frame / 3, lambda width: _picture()))
                self.board.tell("state", {"type": "state", "runs": [{"frames": frame}] * 50})
                if frame % 100 == 0:
                    await asyncio.sleep(0)

        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(offering(), self.loop).result(PATIENCE)


def _picture() -> bytes:
    return to_jpeg(np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8))


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    thread = threading.Thread(target=made.server.run, daemon=True)
    thread.start()
    while not made.server.started:
        pass
    yield made
    made.server.should_exit = True
    thread.join(20)


def test_a_day_of_frames_for_a_slow_tab_takes_no_memory(source: Source) -> None:
    port = source.server.servers[0].sockets[0].getsockname()[1]
    with connect(f"ws://127.0.0.1:{port}/", max_queue=1) as tab:
        tab.send(json.dumps({"watch": "film", "width": 160}))
        tab.send("no JSON, and of no account")
        while source.loop is None:
            pass
        source.offer(0, 1000)
        assert 0 <= shown(tab)[0]["frame"] < 1000
        tracemalloc.start()
        source.offer(1000, 1000)
        before = tracemalloc.get_traced_memory()[0]
        source.offer(2000, DAY)
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        frames = [shown(tab)[0]["frame"] for _ in range(2)]
        assert grown < MOST_BYTES
        assert frames[-1] == 2000 + DAY - 1, "the newest, once the one on its way has arrived"
