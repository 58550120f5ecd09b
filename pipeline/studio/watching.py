"""Watching runs: the newest frame of each that somebody looks at, taken from its spool while the render writes it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from pipeline.preset import Preset
from pipeline.run.folder import RunFolder
from pipeline.run.frames import Frames
from pipeline.studio.answers import Refused
from pipeline.studio.feed import Feed, Picture
from pipeline.studio.film import Pictures
from pipeline.studio.jpeg import to_jpeg
from pipeline.studio.runs import Runs

_SHORTEST_SECONDS, _LONGEST_SECONDS = 1 / 15, 0.5
_QUIET_SECONDS = 10.0


class Watching:
    """Feeds of runs' newest frames; one is kept up while somebody watches it."""

    def __init__(self, runs: Runs, pictures: Pictures) -> None:
        self._runs, self._pictures = runs, pictures
        self._feeds: dict[Path, tuple[Feed[Picture], asyncio.Task[None]]] = {}
        self._watchers: dict[Path, int] = {}

    @contextlib.asynccontextmanager
    async def run(self, path: Path) -> AsyncIterator[Feed[Picture]]:
        """The feed of a run, in the block."""
        if path not in self._feeds:
            feed: Feed[Picture] = Feed()
            self._feeds[path] = feed, asyncio.create_task(self._follow(path, feed))
        self._watchers[path] = self._watchers.get(path, 0) + 1
        try:
            yield self._feeds[path][0]
        finally:
            self._watchers[path] -= 1
            if not self._watchers[path]:
                del self._watchers[path]
                self._feeds.pop(path)[1].cancel()

    async def _follow(self, path: Path, feed: Feed[Picture]) -> None:
        shown, came = -1, time.monotonic()
        pause = _SHORTEST_SECONDS
        while True:
            newest, picture = await asyncio.to_thread(self._newest, path, shown)
            if picture is not None:
                feed.offer(picture)
                now = time.monotonic()
                # A fifth of what a frame takes: it is seen soon, and looking costs little.
                pause, came = min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, (now - came) / 5)), now
            elif time.monotonic() - came > _QUIET_SECONDS:
                pause = _LONGEST_SECONDS
            shown = newest
            await asyncio.sleep(pause)

    def _newest(self, path: Path, shown: int) -> tuple[int, Picture | None]:
        """The newest frame's number, and its picture where that is another than was shown."""
        try:
            part = self._runs.part(path)
            frame, picture = self._newest_of(part.path, max(-1, shown - part.first))
        except Refused:
            return -1, None
        if frame < 0 or picture is None:
            return shown if part.first else frame, None
        rate = self._runs.preset(path).fps
        return part.first + frame, replace(
            picture, frame=part.first + frame, seconds=float((part.first + frame) / rate)
        )

    def _newest_of(self, path: Path, shown: int) -> tuple[int, Picture | None]:
        preset = self._runs.preset(path)
        frames = Frames(RunFolder(path).pieces(preset), preset)
        frame = None if shown < 0 else frames.newest(shown)
        if frame is None or frame < shown:
            near = self._runs.tail(path).look().frames - 1
            frame = near if (spooled := frames.newest(max(0, near))) is None else spooled
        if frame < 0 or frame == shown:
            return frame, None
        pixels = frames.spooled(frame)
        if pixels is not None:
            return frame, _picture(frame, preset, lru_cache(4)(partial(to_jpeg, pixels)))
        if self._pictures.picture(frames, frame, None) is None:
            return shown, None
        return frame, _picture(frame, preset, partial(self._pictured, frames, frame))

    def _pictured(self, frames: Frames, frame: int, width: int | None) -> bytes:
        return self._pictures.picture(frames, frame, width) or b""


def _picture(frame: int, preset: Preset, jpeg: Callable[[int | None], bytes]) -> Picture:
    return Picture(frame, float(frame / preset.fps), jpeg)
