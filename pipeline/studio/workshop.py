"""A process that draws, one job after the other, and goes when there is nothing to do for a while."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from pipeline.errors import PipelineError
from pipeline.studio.processes import python, surroundings

_IDLE_SECONDS = 120.0
_LONGEST_LINE = 1 << 20


class Workshop:
    """One process of `studio.drawing`, there while it is needed."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._busy = asyncio.Lock()
        self._going: asyncio.TimerHandle | None = None

    async def do(self, job: dict[str, Any], hear: Callable[[float], None] = lambda share: None) -> None:
        """Do a job, after those before it; `hear` is told how far it is. Raises PipelineError saying why it failed."""
        async with self._busy:
            if self._going is not None:
                self._going.cancel()
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    *python("-m", "pipeline.studio.drawing"),
                    env=surroundings() | {"OMP_NUM_THREADS": "1"},
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=_LONGEST_LINE,
                    start_new_session=True,
                )
            try:
                await self._done(self._process, job, hear)
            except asyncio.CancelledError:
                self.close()  # half a job's words would be taken for the next one's
                raise
            finally:
                self._going = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self.close)

    async def _done(
        self, process: asyncio.subprocess.Process, job: dict[str, Any], hear: Callable[[float], None]
    ) -> None:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(job).encode() + b"\n")
        while line := await process.stdout.readline():
            told = json.loads(line)
            if "progress" in told:
                hear(told["progress"])
            if "error" in told:
                raise PipelineError(told["error"])
            if "done" in told:
                return
        raise PipelineError("the process that draws ended by itself; is there enough memory?")

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._process = None
