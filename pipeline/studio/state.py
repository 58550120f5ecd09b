"""How everything stands, told to the pages whenever it changes."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

from pipeline.backbones import MODELS
from pipeline.studio.feed import Board
from pipeline.studio.library import Library
from pipeline.studio.runs import Runs

_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 5.0
_SHARE = 0.01  # of a core, that looking takes
_PRESETS_SELDOM = 6  # pauses between two looks at all of them


class State:
    """The presets and the runs, as the page lists them."""

    def __init__(self, library: Library, runs: Runs, board: Board, version: str) -> None:
        self._library, self._runs, self._version = library, runs, version
        self.board = board
        self.pages = 0
        """how many are to hear of it"""

    def now(self, presets: list[dict[str, object]] | None = None) -> dict[str, Any]:
        """All of it, for any thread; `presets` as they were listed before."""
        return {
            "version": self._version,
            "folder": str(self._library.folder),
            "presets": self._presets() if presets is None else presets,
            "runs": self._runs.all(),
            "models": list(MODELS),
        }

    def _presets(self) -> list[dict[str, object]]:
        return [self._library.about(preset) for preset in self._library.presets().values()]

    async def keep_telling(self) -> None:
        """Offer it to the pages whenever something has changed, twice a second at most, and seldom where it is much."""
        told: dict[str, Any] | None = None
        presets: list[dict[str, object]] = []
        cost = 0.0
        for turn in itertools.count():
            if self.pages:
                if turn % _PRESETS_SELDOM == 0 or not presets:
                    presets = await asyncio.to_thread(self._presets)
                now, cost = await asyncio.to_thread(self._timed, presets)
                if now != told:
                    told = now
                    self.board.tell("state", {"type": "state", **now})
            await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, max(_PAUSE_SECONDS, cost / _SHARE)))

    def _timed(self, presets: list[dict[str, object]]) -> tuple[dict[str, Any], float]:
        began = time.thread_time()
        return self.now(presets), time.thread_time() - began
