"""Pictures drawn in a process of its own: those of an atlas, and dreams over stills.

It reads a line of JSON for each job, and writes lines of JSON: how far it is, and how it ended.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from pipeline.activity import listening
from pipeline.atlas import Drawer, block_entries, channel_entries
from pipeline.backbones import find_recipe
from pipeline.device import open_device
from pipeline.disk import write_whole
from pipeline.errors import PipelineError, PresetError, Problem
from pipeline.frame import Size, size_of, to_uint8
from pipeline.media.still import Still, read_still, write_still
from pipeline.ops.warp import resize
from pipeline.preset.whole import read_whole
from pipeline.stills import StillDreamer
from pipeline.studio.jpeg import to_jpeg

SIDE = 160
_SHOWN_SIDE = 1600
_OF_FILMS = ("stage", "id", "steps", "strength", "new_strength", "every", "octaves", "octave_weights")


class Drawing:
    """Does one job after the other."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._device = open_device("cpu")
        self._drawer = Drawer(self._device)

    def do(self, job: dict[str, Any]) -> None:
        """One job; how it ended is told, whatever that is."""
        try:
            with listening(self._hear):
                {"plate": self._plate, "open": self._open, "dream": self._dream}[job["kind"]](job)
            self._tell({"done": True})
        except (PipelineError, OSError, MemoryError) as error:
            self._tell({"done": True, "error": str(error) or type(error).__name__})

    def _plate(self, job: dict[str, Any]) -> None:
        recipe, layer, channel = find_recipe(job["model"]), job["layer"], job["channel"]
        if channel is None:
            (entry,) = [each for each in block_entries(recipe) if each.layer == layer]
        else:
            (entry,) = channel_entries(recipe, layer, [channel])
        plate = self._drawer.draw(job["model"], entry, None, SIDE, 0 if channel is None else channel)
        _write(Path(job["path"]), to_jpeg(to_uint8(plate)))

    def _open(self, job: dict[str, Any]) -> None:
        _write(Path(job["view"]), _view(read_still(Path(job["path"])).frame))

    def _dream(self, job: dict[str, Any]) -> None:
        keys, seed = dream_keys(job["text"], Path(job["base"]))
        os.chdir(job["base"])
        still = read_still(Path(job["path"]))
        try:
            dreamer = StillDreamer(keys, seed, self._device)
        except PresetError as error:
            if "song" not in str(error):
                raise
            said = "its dream goes with a song, and a picture has none; choose another preset, or give plain numbers"
            raise PresetError([Problem("", (), said)]) from error
        picture = dreamer(still.frame)
        write_still(picture, Path(job["result"]), Still(picture, still.exif, still.profile, still.deep), still.deep)
        _write(Path(job["view"]), _view(picture))

    def _hear(self, what: str, done: int, total: int | None) -> None:
        if total:
            self._tell({"progress": round(done / total, 3)})

    def _tell(self, what: dict[str, Any]) -> None:
        self._out.write(json.dumps(what).encode() + b"\n")
        self._out.flush()


def dream_keys(text: str, base: Path) -> tuple[dict[str, Any], int]:
    """The keys of a preset's first dream that stills take, and its seed. Raises PresetError."""
    data = read_whole(text.encode(), "", base, ()).data
    for whole in (data, *_listed(data, "scenes")):
        for entry in _listed(whole, "stages"):
            if entry.get("stage") == "dream":
                keys = {key: value for key, value in entry.items() if key not in _OF_FILMS}
                seed = whole.get("seed", data.get("seed", 0))
                return keys, seed if type(seed) is int else 0
    raise PresetError([Problem("", (), "has no dream; add `- stage: dream` to its stages")])


def _listed(data: Mapping[Any, Any], key: str) -> list[Mapping[Any, Any]]:
    found = data.get(key)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _view(frame: Tensor) -> bytes:
    """A picture as the page shows it, which may be smaller."""
    size = size_of(frame)
    scale = min(1.0, _SHOWN_SIDE / max(size))
    if scale < 1:
        frame = resize(frame, Size(*(max(1, round(side * scale)) for side in size))).clamp(0, 1)
    return to_jpeg(to_uint8(frame))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


def main() -> None:
    """Do what the standard input asks for, until it ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    torch.set_num_threads(1)
    drawing = Drawing(out)
    for line in sys.stdin:
        drawing.do(json.loads(line))


if __name__ == "__main__":
    main()
