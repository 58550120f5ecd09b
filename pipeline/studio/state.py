"""How everything stands, told to the pages whenever it changes."""

from __future__ import annotations

import asyncio
from typing import Any

from pipeline.backbones import MODELS
from pipeline.studio.feed import Board
from pipeline.studio.library import Library
from pipeline.studio.runs import Runs

_PAUSE_SECONDS = 0.5


class State:
    """The presets and the runs, as the page lists them."""

    def __init__(self, library: Library, runs: Runs, board: Board, version: str) -> None:
        self._library, self._runs, self._version = library, runs, version
        self.board = board
        self.pages = 0
        """how many are to hear of it"""

    def now(self) -> dict[str, Any]:
        """All of it. For any thread, one at a time."""
        return {
            "version": self._version,
            "folder": str(self._library.folder),
            "presets": [self._library.about(preset) for preset in self._library.presets().values()],
            "runs": self._runs.all(),
            "models": list(MODELS),
        }

    async def keep_telling(self) -> None:
        """Offer it to the pages whenever something has changed, twice a second at most."""
        told: dict[str, Any] | None = None
        while True:
            if self.pages:
                now = await asyncio.to_thread(self.now)
                if now != told:
                    told = now
                    self.board.tell("state", {"type": "state", **now})
            await asyncio.sleep(_PAUSE_SECONDS)
