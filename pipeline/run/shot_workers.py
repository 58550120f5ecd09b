"""Shots rendered side by side, each in a process of its own that ends with this one."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipeline.activity import report
from pipeline.errors import PipelineError, RunError, TroubleError
from pipeline.run.folder import RunFolder
from pipeline.run.options import Options, Result
from pipeline.run.settings import Settings
from pipeline.stages.shot import Shot

RENDERING_SHOTS = "rendering shots"
_LOOK_SECONDS = 0.1
_LAST_WORDS = 400
_WORKER = "pipeline.run.shot_worker"


class ShotWorkers:
    """Renders shots, so many at a time. A worker's standard input is open while it is to go on: it ends with us."""

    def __init__(self, folder: RunFolder, settings: Settings, options: Options, moved: Mapping[str, str]) -> None:
        self._folder, self._settings, self._options, self._moved = folder, settings, options, moved
        self._heard: queue.SimpleQueue[tuple[Shot, dict[str, Any]]] = queue.SimpleQueue()
        self._running: dict[int, subprocess.Popen[str]] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def render(self, shots: list[Shot], done: int, result: Result) -> dict[int, PipelineError]:
        """Render shots of a film that has `done` frames; what went wrong, by the number of the shot."""
        failures: dict[int, PipelineError] = {}
        with ThreadPoolExecutor(self._options.workers) as pool:
            try:
                works = [pool.submit(self._work, shot) for shot in shots]
                while not all(work.done() for work in works) or not self._heard.empty():
                    if self._options.should_stop():
                        self._stop()
                    for shot, said in self._arrived():
                        self._take(shot, said, result, failures)
                        report(RENDERING_SHOTS, done + result.rendered, shot.film)
                for work in works:
                    work.result()  # raises what kept a process from being started
            finally:
                self._stop()
        return failures

    def _arrived(self) -> Iterator[tuple[Shot, dict[str, Any]]]:
        """What workers have said by now; waits a moment where that is nothing."""
        until = time.monotonic() + _LOOK_SECONDS
        with contextlib.suppress(queue.Empty):
            while (left := until - time.monotonic()) > 0:
                yield self._heard.get(timeout=left)

    def _take(self, shot: Shot, said: dict[str, Any], result: Result, failures: dict[int, PipelineError]) -> None:
        if "message" in said:
            self._options.on_message(f"shot {shot.number}: {said['message']}")
        if "error" in said:
            failures[shot.number] = (TroubleError if said["resumable"] else RunError)(said["error"])
        result.rendered += said.get("rendered", 0)
        for stage, seconds in said.get("times", {}).items():
            result.times[stage] = result.times.get(stage, 0.0) + seconds
        result.notes += [note for note in said.get("notes", ()) if note not in result.notes]
        if said.get("finished"):
            self._options.on_message(f"shot {shot.number}: finished, {shot.frames} frames")

    def _work(self, shot: Shot) -> None:
        """One worker's life, in a thread of ours that hears it."""
        with tempfile.TemporaryFile("w+", errors="replace") as words:
            with self._lock:
                if self._stopping:
                    return
                process = self._running[shot.number] = self._started(shot, words)
            assert process.stdout is not None
            ended = False
            with process.stdout as lines:
                for line in lines:
                    with contextlib.suppress(ValueError):
                        said = json.loads(line)
                        ended = ended or "finished" in said or "error" in said
                        self._heard.put((shot, said))
            status = process.wait()
            with self._lock:
                del self._running[shot.number]
                self._close(process)
            if not ended:
                words.seek(0)
                last = words.read()[-_LAST_WORDS:].strip()
                self._heard.put(
                    (shot, {"error": f"its process ended with status {status} {last}".strip(), "resumable": True})
                )

    def _started(self, shot: Shot, words: Any) -> subprocess.Popen[str]:
        task = {
            "folder": str(self._folder.shot(shot.number).path.absolute()),
            "checkpoint_seconds": self._options.checkpoint_seconds,
            "settings": self._settings.model_dump(),
            "moved": dict(self._moved),
        }
        return subprocess.Popen(
            [sys.executable, "-m", _WORKER, json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, who let it finish its frame
        )

    def _stop(self) -> None:
        """Have every worker finish its frame, and begin none."""
        with self._lock:
            self._stopping = True
            for process in self._running.values():
                self._close(process)

    @staticmethod
    def _close(process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
