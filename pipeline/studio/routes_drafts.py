"""Drafts: tried, steered, kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pipeline.studio.answers import Asked, Refused, read_asked
from pipeline.studio.drafts import Drafts
from pipeline.studio.library import Library
from pipeline.studio.orders import Orders
from pipeline.studio.texts import Text, Texts

_LARGEST_FRAME = 10**9


class Tried(Text):
    """What is to be tried: a text, from a frame of a run on, or from the beginning."""

    frame: int | None = None
    width: int | None = None
    opens: list[str] | None = None


class Steered(Asked):
    """Another text for a draft."""

    text: str
    opens: list[str] | None = None


class Kept(Asked):
    """What a draft becomes."""

    name: str | None = None


class DraftRoutes:
    """Answers about drafts."""

    def __init__(self, library: Library, texts: Texts, drafts: Drafts, orders: Orders) -> None:
        self._library, self._texts, self._drafts, self._orders = library, texts, drafts, orders

    async def start(self, request: Request) -> Response:
        """Try a text."""
        asked = await read_asked(request, Tried)
        base = await asyncio.to_thread(self._texts.require_right, asked, asked.opens)
        run = None if asked.run is None else self._library.run(asked.run)
        frame = _frame(asked, run)
        id_ = await self._drafts.start(asked.text, base, run if frame is not None else None, frame, asked.width)
        return JSONResponse({"id": id_})

    async def steer(self, request: Request) -> Response:
        """Go on by another text."""
        asked = await read_asked(request, Steered)
        draft = self._drafts.draft(request.path_params["id"])
        await asyncio.to_thread(self._texts.require_right, Text(text=asked.text), asked.opens, draft.base)
        await self._drafts.steer(draft.id, asked.text)
        return JSONResponse({})

    async def stop(self, request: Request) -> Response:
        """End it."""
        await self._drafts.stop(self._drafts.draft(request.path_params["id"]).id)
        return JSONResponse({})

    async def keep(self, request: Request) -> Response:
        """A branch of the real size, or a run where it is of none."""
        asked = await read_asked(request, Kept)
        draft = self._drafts.draft(request.path_params["id"])
        if draft.run is None or draft.frame is None:
            id_ = await asyncio.to_thread(self._orders.render, draft.text, draft.base, asked.name or "draft")
        else:
            id_ = await asyncio.to_thread(self._keep, draft.run, draft.frame + 1, draft.text, draft.base, asked.name)
        await self._drafts.stop(draft.id)
        return JSONResponse({"id": id_})

    def _keep(self, run: Path, frame: int, text: str, base: Path, name: str | None) -> str:
        return self._orders.branch(run, frame, self._orders.changes(run, frame, text, base), name)


def _frame(asked: Tried, run: Path | None) -> int | None:
    if asked.frame is not None and not 0 <= asked.frame < _LARGEST_FRAME:
        raise Refused(400, f"frame: is {asked.frame}, must be a frame's number from 0 on")
    return None if run is None else asked.frame
