"""Editing: controls for a text, one key set in it, and what may stand at a place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pipeline.errors import PipelineError, PresetError
from pipeline.preset import parse_preset
from pipeline.preset.editing import edit
from pipeline.studio.answers import Asked, Refused, read_asked
from pipeline.studio.completing import complete
from pipeline.studio.controls import controls
from pipeline.studio.schema import preset_schema
from pipeline.studio.terms import with_term
from pipeline.studio.texts import Text, Texts

_USUAL = "stages: [{stage: noise}, {stage: zoom}, {stage: dream}]"


class Edited(Asked):
    """One key to be set; without a value it is taken out."""

    text: str
    key: str
    value: Any = None


class Completed(Text):
    """A place in a text, counted from 1."""

    line: int
    column: int


class AtlasEdited(Asked):
    """A layer, or one of its channels, that is to be dreamt on."""

    text: str
    model: str
    layer: str
    channel: int | None = None


class EditRoutes:
    """Answers about texts that are being written."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def get_ready(self) -> None:
        """Learn what the first page asks for: what networks are made of takes seconds to find out."""
        with contextlib.suppress(PipelineError):
            controls(_USUAL, Path())
            parse_preset(_USUAL)
            preset_schema()

    def _controls(self, asked: Text) -> list[dict[str, Any]]:
        with self._texts.reached():
            return controls(asked.text, self._texts.base(asked))

    async def controls(self, request: Request) -> Response:
        """Controls for all keys."""
        asked = await read_asked(request, Text)
        return JSONResponse({"stages": await asyncio.to_thread(_or_refused, lambda: self._controls(asked))})

    async def edit(self, request: Request) -> Response:
        """One key set in place."""
        asked = await read_asked(request, Edited)
        return await self._edited(lambda: edit(asked.text, asked.key, asked.value))

    async def edit_atlas(self, request: Request) -> Response:
        """A term put into the dream's objective."""
        asked = await read_asked(request, AtlasEdited)
        return await self._edited(lambda: with_term(asked.text, asked.model, asked.layer, asked.channel))

    async def _edited(self, work: Callable[[], tuple[str, int]]) -> Response:
        text, line = await asyncio.to_thread(_or_refused, work)
        return JSONResponse({"text": text, "line": line})

    async def complete(self, request: Request) -> Response:
        """What may stand at a place."""
        asked = await read_asked(request, Completed)
        return JSONResponse(await asyncio.to_thread(complete, asked.text, asked.line, asked.column))


def _or_refused(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except PresetError as error:
        first = error.problems[0]
        place = "" if first.line is None else f"line {first.line}: "
        raise Refused(422, f"{place}{first.message}") from None
