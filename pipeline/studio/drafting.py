"""A draft, in a process of its own: a film rendered small and at once, which takes another preset between two frames.

It reads lines of JSON: what to begin with, then presets to go on by. It writes lines of JSON, and behind one that
says so the bytes of a JPEG. It ends with its input, so that no draft outlives the studio.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from pipeline.chain import Chain, Film, Scenes
from pipeline.disk import within
from pipeline.errors import PipelineError, PresetError
from pipeline.frame import Frame
from pipeline.preset import Preset, parse_preset
from pipeline.run.small import small
from pipeline.stages import EndOfFootage, Entry
from pipeline.stages.dream import DreamConfig
from pipeline.studio.beginning import NOTHING, Beginning, beginning, take_over
from pipeline.studio.jpeg import to_jpeg

_PLAYS_AHEAD_SECONDS = 0.1


class Draft:
    """One film being tried."""

    def __init__(self, out: BinaryIO, folder: Path) -> None:
        self._out, self._folder = out, folder
        self._asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._begun: Beginning = NOTHING
        self._width: int | None = None
        self._like: Chain | None = None

    def ask(self, what: dict[str, Any]) -> None:
        """Ask for something, from any thread."""
        self._asked.put(what)

    def listen(self, lines: Iterator[str]) -> None:
        """Take what is asked for, in a thread of its own; the end of it ends the process."""
        for line in lines:
            self.ask(json.loads(line))
        os._exit(0)

    def run(self) -> None:
        """Get ready by films that may be asked for, then play what is, until the end of the process."""
        while "reach" in (asked := self._asked.get()):
            self._get_ready(asked)
        self._width = asked.get("width")
        if asked.get("run") is not None:
            self._begun = beginning(Path(asked["run"]), asked["frame"])
        preset = self._read(asked)
        while True:
            preset = self._play(preset)

    def _get_ready(self, asked: dict[str, Any]) -> None:
        """Render a frame of a film that nobody looks at: networks are loaded by then. What is wrong with it is told
        when it is asked for."""
        reach = within([Path(each) for each in asked["reach"]])
        with contextlib.suppress(PipelineError), reach, self._open(self._small(asked)[0]) as (film, previous, start):
            film.step(start, previous)

    def _read(self, asked: dict[str, Any]) -> Preset:
        preset, differs = self._small(asked)
        self._tell({"state": "playing", "message": "; ".join(differs)})
        return preset

    def _small(self, asked: dict[str, Any]) -> tuple[Preset, list[str]]:
        """The preset that was asked for, small, and what is not as in the film. Raises PipelineError."""
        preset = parse_preset(asked["text"], folder=Path(asked["base"]))
        stages = tuple(_unprobed(config) for config in preset.stages)
        preset = preset.model_copy(update={"stages": stages, "lead_in": None})
        return small(preset, self._folder, begins=self._begun.previous is None)

    def _play(self, preset: Preset) -> Preset:
        """From the beginning to the end of the film; returns what it was played by last."""
        with self._open(preset) as (film, previous, start):
            index, due = start, time.monotonic()
            while index != film.spec.frames:
                anew = self._take(film, index)
                if anew is not None:
                    return anew
                try:
                    made = film.step(index, previous)
                except EndOfFootage:
                    break
                previous = made.feedback
                if index >= 0:
                    self._show(Frame(made), index / film.spec.fps)
                index += 1
                due = max(due + 1 / float(film.spec.fps), time.monotonic() - _PLAYS_AHEAD_SECONDS)
                time.sleep(max(0.0, due - time.monotonic()))
            if index == start:
                raise PipelineError(f"the film ends before frame {start}; give it a longer duration")
            return film.preset

    @contextlib.contextmanager
    def _open(self, preset: Preset) -> Iterator[tuple[Film, Tensor | None, int]]:
        """The film, what its next frame is made from, and that frame's number; one of scenes plays from its first."""
        if preset.scenes:
            with Scenes(preset) as scenes:
                yield scenes, None, scenes.first
            return
        with Chain(preset, self._begun.index, self._like) as chain:
            self._like = chain
            yield chain, take_over(chain, self._begun), self._begun.index

    def _take(self, film: Film, index: int) -> Preset | None:
        """Go on by the newest preset that was asked for; one that fits no film that is begun is played anew."""
        asked = None
        while not self._asked.empty():
            if asked is not None:
                self._tell({"steered": asked["steer"], "problems": []})
            asked = self._asked.get()
        if asked is None:
            return None
        anew = None
        try:
            preset = self._read(asked)
            try:
                film.change(preset, index)
            except PresetError:
                anew = preset
            self._tell({"steered": asked["steer"], "problems": []})
        except PresetError as error:
            self._tell({"steered": asked["steer"], "problems": [each.message for each in error.problems]})
        except PipelineError as error:
            self._tell({"steered": asked["steer"], "problems": [str(error)]})
        return anew

    def _show(self, frame: Frame, seconds: Any) -> None:
        data = to_jpeg(frame.pixels, self._width)
        self._tell({"frame": frame.index, "seconds": round(float(seconds), 4), "bytes": len(data)}, data)

    def _tell(self, what: dict[str, Any], data: bytes = b"") -> None:
        self._out.write(json.dumps(what).encode() + b"\n" + data)
        self._out.flush()


def _unprobed(config: Entry) -> Entry:
    """A dream that computes by what is usual: to try out what is fastest takes a while."""
    if not isinstance(config, DreamConfig):
        return config
    usual = {"engine": "folded" if torch.cuda.is_available() else "packed", "precision": "float32"}
    return config.model_copy(update={key: value for key, value in usual.items() if getattr(config, key) == "auto"})


def main() -> None:
    """Draft what the standard input asks for."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed has nothing to do with the pictures
    with tempfile.TemporaryDirectory(prefix="dreamreel-draft-") as folder:
        draft = Draft(out, Path(folder))
        threading.Thread(target=draft.listen, args=(sys.stdin,), daemon=True).start()
        try:
            draft.run()
        except PipelineError as error:
            out.write(json.dumps({"state": "failed", "message": str(error)}).encode() + b"\n")
            out.flush()
            sys.exit(1)


if __name__ == "__main__":
    main()
