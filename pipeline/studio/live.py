"""The WebSocket: pictures of what the page watches, each when the last one has arrived, and how everything stands."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.websockets import WebSocket, WebSocketDisconnect

from pipeline.studio.answers import Refused
from pipeline.studio.feed import Board, Feed, Picture
from pipeline.studio.jpeg import NARROWEST, WIDEST

Watch = Callable[[str], AbstractAsyncContextManager[Feed[Picture]]]


class Live:
    """One page's connection."""

    def __init__(self, socket: WebSocket, watch: Watch, news: Board) -> None:
        self._socket, self._watch, self._news = socket, watch, news
        self._sending = asyncio.Lock()
        self._got = asyncio.Event()
        self._pictures: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve it until it is closed."""
        await self._socket.accept()
        telling = asyncio.create_task(self._tell())
        try:
            while True:
                await self._hear(await self._socket.receive_text())
        except (WebSocketDisconnect, KeyError, RuntimeError):  # a binary message has no text: nobody of ours sends one
            return
        finally:
            for task in (telling, *([] if self._pictures is None else [self._pictures])):
                task.cancel()

    async def _hear(self, text: str) -> None:
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        if "got" in said:
            self._got.set()
        if "watch" in said:
            if self._pictures is not None:
                self._pictures.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._pictures
            self._pictures = None
            if isinstance(said["watch"], str):
                self._pictures = asyncio.create_task(self._show(said["watch"], _width(said.get("width"))))

    async def _show(self, id_: str, width: int | None) -> None:
        serial = 0
        with contextlib.suppress(Refused, WebSocketDisconnect, RuntimeError):
            async with self._watch(id_) as feed:
                while True:
                    serial, picture = await feed.after(serial)
                    data = await asyncio.to_thread(picture.jpeg, width)
                    about = {"type": "frame", "id": id_, "frame": picture.frame, "seconds": picture.seconds}
                    self._got.clear()
                    async with self._sending:
                        await self._socket.send_text(json.dumps(about))
                        await self._socket.send_bytes(data)
                    await self._got.wait()

    async def _tell(self) -> None:
        serial = 0
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                serial, told = await self._news.after(serial)
                async with self._sending:
                    for news in told:
                        await self._socket.send_text(json.dumps(news))


def _width(given: object) -> int | None:
    return min(WIDEST, max(NARROWEST, given)) if type(given) is int else None
