"""The page itself, how everything stands, and the connection that tells of it."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AbstractAsyncContextManager
from html import escape
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.websockets import WebSocket

from pipeline.studio.drafts import Drafts
from pipeline.studio.feed import Feed, Picture
from pipeline.studio.guard import policy
from pipeline.studio.library import Library
from pipeline.studio.live import Live
from pipeline.studio.state import State
from pipeline.studio.watching import Watching

PAGE = Path(__file__).parent / "page"
_NONCE = "__NONCE__"
_PLAIN = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>dreamreel studio: runs</title><link rel="stylesheet" href="/page/css/base.css">'
    '<main class="plain"><h1>Runs</h1><ul>{runs}</ul></main></html>'
)
_MOST_PAGES = 16


class StateRoutes:
    """What every page begins with."""

    def __init__(self, library: Library, state: State, watching: Watching, drafts: Drafts) -> None:
        self._library, self._state, self._watching, self._drafts = library, state, watching, drafts

    async def page(self, request: Request) -> Response:
        """The page, with a number used once by which its own styles are known."""
        nonce = secrets.token_urlsafe(16)
        text = (PAGE / "index.html").read_text(encoding="utf-8").replace(_NONCE, nonce)
        return HTMLResponse(text, headers={"content-security-policy": policy(nonce)})

    async def plain(self, request: Request) -> Response:
        """The runs as links, for browsers without scripts: live pictures, and finished films."""
        now = await asyncio.to_thread(self._state.now)
        return HTMLResponse(_PLAIN.format(runs="".join(map(_row, now["runs"])) or "<li>Nothing is rendered yet.</li>"))

    async def state(self, request: Request) -> Response:
        """How everything stands."""
        return JSONResponse(await asyncio.to_thread(self._state.now))

    async def live(self, socket: WebSocket) -> None:
        """Pictures and news, until the page closes."""
        if self._state.pages >= _MOST_PAGES:
            await socket.close(1013)
            return
        self._state.pages += 1
        try:
            await Live(socket, self._watch, self._state.board).run()
        finally:
            self._state.pages -= 1

    def _watch(self, id_: str) -> AbstractAsyncContextManager[Feed[Picture]]:
        if self._drafts.knows(id_):
            return self._drafts.watch(id_)
        return self._watching.run(self._library.run(id_))


def _row(run: dict[str, Any]) -> str:
    films = "".join(f', <a href="{film["url"]}">{escape(film["name"])}</a>' for film in run["films"])
    words = "the newest frame, as it comes" if run["state"] in ("rendering", "waiting") else "its last frame"
    live = f'<a href="/api/runs/{run["id"]}/live.mjpg?width=640">{words}</a>'
    return f"<li><b>{escape(run['name'])}</b>: {run['state']}, {run['frames']} frames: {live}{films}</li>"
