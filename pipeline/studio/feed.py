"""The newest picture of something that changes: whoever is slow sees fewer, and nothing waits in between."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_MOST_NEWS = 64
ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Picture:
    """One frame, and how it becomes a JPEG of a width."""

    frame: int
    seconds: float
    jpeg: Callable[[int | None], bytes]


class Feed(Generic[ItemT]):
    """Holds the newest of what is offered, and nothing else."""

    def __init__(self) -> None:
        self.newest: ItemT | None = None
        self.serial = 0
        """how many were offered so far"""
        self._changed = asyncio.Event()

    def offer(self, item: ItemT) -> None:
        """Take an item in the place of the one before; called in the loop's thread."""
        self.newest = item
        self.serial += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, serial: int) -> tuple[int, ItemT]:
        """The newest item and its serial number, once one past `serial` is there."""
        while self.serial <= serial or self.newest is None:
            await self._changed.wait()
        return self.serial, self.newest


class Board:
    """News by what they are of: of each thing the newest, so that none is lost and nothing queues."""

    def __init__(self) -> None:
        self._news: OrderedDict[str, tuple[int, dict[str, Any]]] = OrderedDict()
        self._serial = 0
        self._changed = asyncio.Event()

    def tell(self, key: str, news: dict[str, Any]) -> None:
        """Put news up; called in the loop's thread."""
        self._serial += 1
        self._news[key] = self._serial, news
        self._news.move_to_end(key)
        while len(self._news) > _MOST_NEWS:
            self._news.popitem(last=False)
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, serial: int) -> tuple[int, list[dict[str, Any]]]:
        """All news past `serial`, in their order, once there are some."""
        while self._serial <= serial:
            await self._changed.wait()
        return self._serial, [news for number, news in self._news.values() if number > serial]
