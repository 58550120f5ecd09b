"""Pictures beside films: those of an atlas, and stills."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from pipeline.studio.answers import Refused, read_asked
from pipeline.studio.drawing import dream_keys
from pipeline.studio.plates import Plates
from pipeline.studio.stills import StillShelf
from pipeline.studio.texts import Text, Texts

_KEPT = {"cache-control": "private, max-age=86400"}


class Dreamt(Text):
    """The preset whose dream a still gets."""

    opens: list[str] | None = None


class PictureRoutes:
    """Answers about pictures."""

    def __init__(self, texts: Texts, plates: Plates, stills: StillShelf) -> None:
        self._texts, self._plates, self._stills = texts, plates, stills
        self._dreams: set[asyncio.Task[None]] = set()

    async def layers(self, request: Request) -> Response:
        """The layers of a network."""
        layers = await asyncio.to_thread(self._plates.layers, request.path_params["model"])
        return JSONResponse({"layers": layers})

    async def channel(self, request: Request) -> Response:
        """The picture of a channel."""
        return self._plate(request, request.path_params["channel"])

    async def layer(self, request: Request) -> Response:
        """The picture of a layer."""
        return self._plate(request, None)

    def _plate(self, request: Request, channel: int | None) -> Response:
        found = self._plates.find(request.path_params["model"], request.path_params["layer"], channel)
        if isinstance(found, Path):
            return FileResponse(found, headers=_KEPT)
        return JSONResponse({"wait": found}, 202)

    async def add(self, request: Request) -> Response:
        """Keep a picture."""
        data = await request.body()
        name = request.query_params.get("name", "picture")[:200]
        return JSONResponse(await asyncio.to_thread(self._stills.add, name, data))

    async def dream(self, request: Request) -> Response:
        """Dream over it."""
        asked = await read_asked(request, Dreamt)
        id_ = request.path_params["id"]
        self._stills.find(id_)
        base = await asyncio.to_thread(self._texts.require_right, asked, asked.opens)
        await asyncio.to_thread(dream_keys, asked.text, base)
        task = asyncio.create_task(self._stills.dream(id_, asked.text, base))
        self._dreams.add(task)
        task.add_done_callback(self._dreams.discard)
        return JSONResponse({})

    async def original(self, request: Request) -> Response:
        """The picture as it was."""
        return FileResponse(await self._stills.view(request.path_params["id"]))

    async def result(self, request: Request) -> Response:
        """The dream over it, as it is shown."""
        return _there(self._stills.find(request.path_params["id"]).result_view)

    async def result_file(self, request: Request) -> Response:
        """The dream over it, to be saved."""
        files = self._stills.find(request.path_params["id"])
        return _there(files.result, files.result.name)


def _there(path: Path, name: str | None = None) -> Response:
    if not path.is_file():
        raise Refused(404, "there is no dream over this picture yet")
    return FileResponse(path, filename=name)
