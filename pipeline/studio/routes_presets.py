"""Presets: their texts, and what is right and wrong in them."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from pipeline.studio.answers import Asked, Refused, read_asked
from pipeline.studio.drafts import Drafts
from pipeline.studio.library import Library
from pipeline.studio.schema import preset_schema
from pipeline.studio.texts import Text, Texts


class Saved(Asked):
    """A preset's new text."""

    text: str


class Added(Saved):
    """A new preset."""

    name: str


class PresetRoutes:
    """Answers about presets."""

    def __init__(self, library: Library, texts: Texts, drafts: Drafts) -> None:
        self._library, self._texts, self._drafts = library, texts, drafts

    async def show(self, request: Request) -> Response:
        """One preset."""
        found = self._library.preset(request.path_params["id"])
        return JSONResponse({"id": found.id, "name": found.name, "own": found.own, "text": found.text()})

    async def save(self, request: Request) -> Response:
        """Write one's own."""
        asked = await read_asked(request, Saved)
        await asyncio.to_thread(self._library.save, request.path_params["id"], asked.text)
        return JSONResponse({})

    async def add(self, request: Request) -> Response:
        """A new one."""
        asked = await read_asked(request, Added)
        return JSONResponse({"id": await asyncio.to_thread(self._library.add, asked.name, asked.text)})

    async def poster(self, request: Request) -> Response:
        """A picture of its film."""
        picture = self._library.preset(request.path_params["id"]).poster
        if picture is None:
            raise Refused(404, "this preset has no picture")
        return FileResponse(picture, headers={"cache-control": "private, max-age=3600"})

    async def check(self, request: Request) -> Response:
        """What is wrong with a text."""
        asked = await read_asked(request, Text)
        problems = await asyncio.to_thread(self._texts.check, asked)
        if not any(each["severity"] == "error" for each in problems):
            await self._drafts.get_ready(asked.text, self._texts.base(asked))
        return JSONResponse({"problems": problems})

    async def schema(self, request: Request) -> Response:
        """The JSON schema of a preset."""
        return JSONResponse(await asyncio.to_thread(preset_schema))
