"""Drafts: films tried small and at once, each in a process of its own that ends with the studio."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.studio.answers import Refused
from pipeline.studio.feed import Board, Feed, Picture
from pipeline.studio.processes import python, surroundings

_MOST = 2
_UNWATCHED_SECONDS = 60.0
_ANSWER_SECONDS = 20.0
_LOOK_SECONDS = 5.0
_LONGEST_LINE = 1 << 20


@dataclass
class Draft:
    """One draft: what it is of, and how it goes."""

    id: str
    process: asyncio.subprocess.Process
    text: str
    base: Path
    run: Path | None
    frame: int | None
    feed: Feed[Picture] = field(default_factory=Feed)
    watchers: int = 0
    watched: float = field(default_factory=time.monotonic)
    steered: dict[int, asyncio.Future[list[str]]] = field(default_factory=dict)


class Drafts:
    """Starts, steers and ends drafts; one process more stands ready for the next."""

    def __init__(self, board: Board, reach: tuple[Path, ...]) -> None:
        self._board, self._reach = board, reach
        self._drafts: dict[str, Draft] = {}
        self._ready: asyncio.subprocess.Process | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()

    async def get_ready(self, text: str, base: Path) -> None:
        """Have a process that knows the networks of a film which may be tried soon."""
        async with self._starting:
            if self._ready is None or self._ready.returncode is not None:
                self._ready = await _process()
                await _say(self._ready, {"text": text, "base": str(base), "reach": [str(each) for each in self._reach]})

    async def start(self, text: str, base: Path, run: Path | None, frame: int | None, width: int | None) -> str:
        """Begin a draft, of a run behind one of its frames or of a film's beginning; returns its id."""
        while len(self._drafts) >= _MOST:
            await self.stop(next(iter(self._drafts)))
        async with self._starting:
            process, self._ready = self._ready, None
        if process is None or process.returncode is not None:
            process = await _process()
        draft = Draft(secrets.token_hex(6), process, text, base, run, frame)
        self._drafts[draft.id] = draft
        about = {"text": text, "base": str(base), "run": None if run is None else str(run), "frame": frame}
        await _say(process, {**about, "width": width})
        self._tell(draft, "waiting", "")
        task = asyncio.create_task(self._read(draft))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return draft.id

    def knows(self, id_: str) -> bool:
        """Whether there is a draft of that id."""
        return id_ in self._drafts

    def draft(self, id_: str) -> Draft:
        """The draft of that id. Raises Refused."""
        if id_ not in self._drafts:
            raise Refused(404, "this draft is over; try it again")
        return self._drafts[id_]

    async def steer(self, id_: str, text: str) -> None:
        """Have it go on by another text. Raises Refused with what is wrong with that."""
        draft = self.draft(id_)
        number = max(draft.steered, default=0) + 1
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        draft.steered[number] = answer
        try:
            await _say(draft.process, {"steer": number, "text": text, "base": str(draft.base)})
            problems = await asyncio.wait_for(answer, _ANSWER_SECONDS)
        except (TimeoutError, OSError):
            raise Refused(409, "the draft does not answer; try it again") from None
        finally:
            draft.steered.pop(number, None)
        if problems:
            raise Refused(422, problems[0], problems=[])
        draft.text = text

    async def stop(self, id_: str) -> None:
        """End it."""
        draft = self._drafts.pop(id_, None)
        if draft is not None:
            with contextlib.suppress(ProcessLookupError):
                draft.process.kill()
            await draft.process.wait()
            self._tell(draft, "stopped", "")

    @contextlib.asynccontextmanager
    async def watch(self, id_: str) -> AsyncIterator[Feed[Picture]]:
        """The draft's pictures, in the block."""
        draft = self.draft(id_)
        draft.watchers += 1
        try:
            yield draft.feed
        finally:
            draft.watchers -= 1
            draft.watched = time.monotonic()

    async def keep_looking(self) -> None:
        """End drafts that nobody has looked at for a while."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for draft in list(self._drafts.values()):
                if not draft.watchers and time.monotonic() - draft.watched > _UNWATCHED_SECONDS:
                    await self.stop(draft.id)

    async def close(self) -> None:
        """End all of them."""
        for id_ in list(self._drafts):
            await self.stop(id_)
        if self._ready is not None and self._ready.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._ready.kill()
            await self._ready.wait()

    def _tell(self, draft: Draft, state: str, message: str) -> None:
        self._board.tell(draft.id, {"type": "draft", "id": draft.id, "state": state, "message": message})

    async def _read(self, draft: Draft) -> None:
        """All that the draft's process says, until its end."""
        out = draft.process.stdout
        assert out is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ValueError, OSError):
            while line := await out.readline():
                said: dict[str, Any] = json.loads(line)
                if "bytes" in said:
                    data = await out.readexactly(said["bytes"])
                    draft.feed.offer(Picture(said["frame"], said["seconds"], partial(_as_it_came, data)))
                elif "steered" in said:
                    answer = draft.steered.get(said["steered"])
                    if answer is not None and not answer.done():
                        answer.set_result(said["problems"])
                else:
                    self._tell(draft, said["state"], said["message"])
        await draft.process.wait()
        if self._drafts.pop(draft.id, None) is not None and draft.process.returncode not in (0, 1):
            self._tell(draft, "failed", f"the draft ended by itself ({draft.process.returncode}); try it again")


def _as_it_came(data: bytes, width: int | None) -> bytes:
    """A draft is as wide as it was asked for."""
    return data


async def _process() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *python("-m", "pipeline.studio.drafting"),
        env=surroundings(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        start_new_session=True,
    )


async def _say(process: asyncio.subprocess.Process, what: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(what).encode() + b"\n")
    await process.stdin.drain()
