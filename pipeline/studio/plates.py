"""The pictures of an atlas: drawn when they are first looked at, and kept."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

from pipeline.backbones import MODELS, find_layer, find_recipe, list_blocks
from pipeline.disk import cache_folder
from pipeline.errors import PipelineError
from pipeline.studio.answers import Refused
from pipeline.studio.workshop import Workshop

VERSION = 1
"""of how they are drawn: another one is drawn anew"""
_MOST_WAITING = 256
_FIRST_SECONDS = 4.0

Key = tuple[str, str, int | None]


class Plates:
    """Pictures by network, layer and channel; of those that are waited for, the newest is drawn first."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._waiting: list[Key] = []
        self._failed: dict[Key, str] = {}
        self._drawing: asyncio.Task[None] | None = None
        self._seconds = _FIRST_SECONDS

    def layers(self, model: str) -> list[dict[str, Any]]:
        """The layers of a network. Raises Refused."""
        return [
            {"layer": each.name, "channels": each.channels, "ready": self._ready(model, each.name)}
            for each in list_blocks(find_recipe(_known(model)))
        ]

    def _ready(self, model: str, layer: str) -> int:
        folder = _path((model, layer, None)).parent
        return sum(path.stem.isdecimal() for path in folder.glob("*.jpg")) if folder.is_dir() else 0

    def find(self, model: str, layer: str, channel: int | None) -> Path | float:
        """The picture's file; or after about how many seconds it may be there. Raises Refused."""
        key = (_known(model), layer, channel)
        path = _path(key)
        if path.is_file():
            return path
        if key in self._failed:
            raise Refused(409, self._failed.pop(key))
        if key not in self._waiting:
            _require_channel(*key)
            self._waiting = [*self._waiting[-_MOST_WAITING:], key]
        if self._drawing is None or self._drawing.done():
            self._drawing = asyncio.get_running_loop().create_task(self._draw())
        return round(self._seconds * (len(self._waiting) - self._waiting.index(key)), 1)

    async def _draw(self) -> None:
        while self._waiting:
            key = self._waiting[-1]
            began = time.monotonic()
            job = {"kind": "plate", "model": key[0], "layer": key[1], "channel": key[2], "path": str(_path(key))}
            try:
                await self._workshop.do(job)
                self._seconds = 0.7 * self._seconds + 0.3 * (time.monotonic() - began)
            except PipelineError as error:
                self._failed[key] = str(error)
            self._waiting.remove(key)


def _known(model: str) -> str:
    if model not in MODELS:
        raise Refused(404, f"there is no network {model!r} here; there are {', '.join(MODELS)}")
    return model


def _require_channel(model: str, layer: str, channel: int | None) -> None:
    try:
        found = find_layer(find_recipe(model), layer)
    except PipelineError as error:
        raise Refused(404, str(error)) from None
    if channel is not None and not 0 <= channel < found.channels:
        raise Refused(404, f"{layer} has channels 0 to {found.channels - 1}")


def _path(key: Key) -> Path:
    model, layer, channel = key
    name = "layer" if channel is None else str(channel)
    return cache_folder() / f"plates-{VERSION}" / model / re.sub(r"[^\w.-]", "-", layer) / f"{name}.jpg"
