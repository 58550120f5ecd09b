"""Runs: begun, stopped, gone on with, and looked at."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from pipeline.run.folder import RunFolder
from pipeline.run.frames import Frames
from pipeline.studio.answers import Asked, Refused, read_asked
from pipeline.studio.figures import Figures, figures
from pipeline.studio.film import Pictures
from pipeline.studio.jpeg import NARROWEST, WIDEST
from pipeline.studio.library import Library
from pipeline.studio.orders import Orders
from pipeline.studio.runs import Runs
from pipeline.studio.texts import Text, Texts
from pipeline.studio.watching import Watching

_BOUNDARY = "dreamreel-frame"
_OPENERS = {"darwin": "open", "win32": "explorer"}


class Begun(Text):
    """A render to begin; `opens` are the files outside the folder that whoever asks knows it will open."""

    name: str | None = None
    opens: list[str] | None = None


class Branched(Asked):
    """A branch: from an instant or a frame on, by keys or by another text."""

    at: str | int
    set: dict[str, Any] = Field({}, max_length=100)
    text: str | None = None
    name: str | None = None
    opens: list[str] | None = None


class RunRoutes:
    """Answers about runs."""

    def __init__(
        self, library: Library, runs: Runs, texts: Texts, orders: Orders, pictures: Pictures, watching: Watching
    ) -> None:
        self._library, self._runs, self._texts, self._orders = library, runs, texts, orders
        self._pictures, self._watching = pictures, watching
        self._figures: dict[Path, Figures] = {}

    def _path(self, request: Request) -> Path:
        return self._library.run(request.path_params["id"])

    async def begin(self, request: Request) -> Response:
        """Begin a render."""
        asked = await read_asked(request, Begun)
        return JSONResponse({"id": await asyncio.to_thread(self._begin, asked)})

    def _begin(self, asked: Begun) -> str:
        base = self._texts.require_right(asked, asked.opens)
        return self._orders.render(asked.text, base, asked.name or self._texts.name(asked))

    async def branch(self, request: Request) -> Response:
        """Go on otherwise from a frame on, as a run of its own."""
        asked, path = await read_asked(request, Branched), self._path(request)
        return JSONResponse({"id": await asyncio.to_thread(self._branch, path, asked)})

    def _branch(self, path: Path, asked: Branched) -> str:
        keys = asked.set
        if asked.text is not None:
            base = self._texts.require_right(Text(text=asked.text), asked.opens, self._runs.base(path))
            keys = self._orders.changes(path, self._orders.frame(path, asked.at), asked.text, base)
        return self._orders.branch(path, asked.at, keys, asked.name)

    async def show(self, request: Request) -> Response:
        """One run."""
        return JSONResponse(await asyncio.to_thread(self._show, request.path_params["id"], self._path(request)))

    def _show(self, id_: str, path: Path) -> dict[str, Any]:
        found = self._runs.about(id_, path)
        return {**found, "text": self._runs.text(path), "sound": self._runs.heard(id_, path)}

    async def stop(self, request: Request) -> Response:
        """Stop it, once its frame is finished and saved."""
        path = self._path(request)
        await asyncio.to_thread(self._runs.renderers.stop, path, self._runs.tail(path))
        return JSONResponse({})

    async def resume(self, request: Request) -> Response:
        """Go on."""
        await asyncio.to_thread(self._resume, request.path_params["id"], self._path(request))
        return JSONResponse({})

    def _resume(self, id_: str, path: Path) -> None:
        state = self._runs.about(id_, path)["state"]
        if state in ("rendering", "waiting"):
            raise Refused(409, f"{path.name} is being rendered already")
        if state == "finished":
            raise Refused(409, f"{path.name} is finished; branch it, or render its preset with another duration")
        self._runs.renderers.resume(path)

    async def reveal(self, request: Request) -> Response:
        """Show its folder in the file manager of the machine that the studio runs on."""
        path = self._path(request)
        opener = shutil.which(_OPENERS.get(sys.platform, "xdg-open"))
        if opener is None:
            raise Refused(409, f"there is no file manager here; the run lies in {path}")
        subprocess.Popen(
            [opener, str(path)], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return JSONResponse({})

    async def frame(self, request: Request) -> Response:
        """A finished frame."""
        path, index = self._path(request), request.path_params["frame"]
        picture = await asyncio.to_thread(self._picture, path, index, _width(request))
        return Response(picture, media_type="image/jpeg", headers={"cache-control": "private, max-age=60"})

    def _picture(self, path: Path, index: int, width: int | None) -> bytes:
        part = self._runs.part(path, index)
        preset = self._runs.preset(part.path)
        found = self._pictures.picture(Frames(RunFolder(part.path).pieces(preset), preset), index - part.first, width)
        if found is None:
            raise Refused(404, f"{path.name} has no frame {index} yet")
        return found

    async def figures(self, request: Request) -> Response:
        """The curves below the film."""
        path = self._path(request)
        return JSONResponse(await asyncio.to_thread(self._curves, path))

    def _curves(self, path: Path) -> dict[str, Any]:
        logs = {}
        for part in self._runs.parts(path):
            logs[part.first] = self._figures.setdefault(part.path, Figures(RunFolder(part.path).log_file))
        return figures(self._runs.preset(path), logs)

    async def film(self, request: Request) -> Response:
        """A finished film, by its place among the outputs."""
        path = self._path(request)
        found = (await asyncio.to_thread(self._runs.films, path)).get(request.path_params["number"])
        if found is None:
            raise Refused(404, f"{path.name} has no such film, or it is not finished")
        return FileResponse(found, filename=found.name, content_disposition_type="inline")

    async def song(self, request: Request) -> Response:
        """What the film has its sound from."""
        path = self._path(request)
        found = await asyncio.to_thread(self._runs.song, path)
        if found is None:
            raise Refused(404, f"{path.name} has no sound that can be played here")
        return FileResponse(found)

    async def mjpeg(self, request: Request) -> Response:
        """The newest frames, for pages without scripts."""
        path, width = self._path(request), _width(request)
        return StreamingResponse(
            self._parts(path, width), media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        )

    async def _parts(self, path: Path, width: int | None) -> AsyncIterator[bytes]:
        serial = 0
        async with self._watching.run(path) as feed:
            while True:
                serial, picture = await feed.after(serial)
                data = await asyncio.to_thread(picture.jpeg, width)
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                yield head.encode() + data + b"\r\n"


def _width(request: Request) -> int | None:
    given = request.query_params.get("width", "")
    return min(WIDEST, max(NARROWEST, int(given))) if given.isascii() and given.isdecimal() and len(given) < 6 else None
