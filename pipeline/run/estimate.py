"""What a render will cost, by rendering a little of it here: seconds, memory and disk."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.activity import report
from pipeline.chain import Film, open_film
from pipeline.device import out_of_memory_said
from pipeline.engines import parse_memory
from pipeline.errors import RunError
from pipeline.frame import Pass, to_uint8, to_uint16
from pipeline.outputs import Spool, encode
from pipeline.preset import Preset
from pipeline.run.pieces import Pieces
from pipeline.stages import EndOfFootage
from pipeline.stages.dream import DreamConfig

PROBE_SECONDS = 20.0
_FEWEST, _MOST = 3, 48  # frames of each part of the film, between two changes
_AT_LEAST = 0.1  # of the seconds, what no probe tells: how fast the machine is in an hour
_PROCESS_BYTES, _LOOP_BYTES, _DREAM_BYTES = 600 * 10**6, 150, 450  # at least; and for each pixel of a frame
_FILM_LESS, _FILM_MORE = 0.4, 1.3  # of the bytes of a few first frames, what frames of a whole film take


@dataclass(frozen=True)
class Range:
    """A number that is not known for sure: most likely `value`, and between `low` and `high`."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """What a render costs. Bytes are those of the disk; of a film without end, all is that of a minute."""

    frames: int
    seconds: Range
    memory: int | None
    """bytes, at its peak: of the process, or of the GPU; None where the system does not tell"""
    film: Range
    """bytes of the film in all of its outputs, which lie there twice: in segments, and joined"""
    states: int
    """how many are kept to branch from"""
    state_bytes: int
    """of each"""
    working: int
    """bytes at most for frames that are not encoded yet, and for checkpoints, while it renders"""
    device: str


def estimate(preset: Preset, seconds: float = PROBE_SECONDS) -> Estimate:
    """Render some frames at their real size, for about so many seconds, and reckon what the whole costs.

    With changes, some frames of every part between two of them; of a film of scenes, some of each. Nothing is left on
    the disk. Raises as a render does.
    """
    if preset.scenes:
        share = seconds / len(preset.scenes)
        return _together(preset, [_of_scene(preset, number, share) for number in range(len(preset.scenes))])
    began = time.perf_counter()
    with out_of_memory_said(), tempfile.TemporaryDirectory() as folder, open_film(preset) as chain:
        probe = _Probe(chain, preset, Path(folder))
        probe.setup = time.perf_counter() - began
        probe.run(seconds)
        return probe.estimate()


def expected_memory(preset: Preset) -> int:
    """Bytes that a render takes at its peak, reckoned generously from its size alone; `estimate` measures it."""
    if preset.scenes:  # within a fade, two are there at once
        each = [expected_memory(scene.preset) for scene in preset.scenes]
        return max([*each, *(a + b - _PROCESS_BYTES for a, b in pairwise(each))])
    pixels = preset.canvas.height * preset.canvas.width
    dreams = [config for each in (preset, *preset.changed) for config in each.chain if isinstance(config, DreamConfig)]
    budgets = [_DREAM_BYTES * pixels if d.memory == "auto" else parse_memory(d.memory) for d in dreams]
    return _PROCESS_BYTES + _LOOP_BYTES * pixels + max((min(b, _DREAM_BYTES * pixels) for b in budgets), default=0)


def _of_scene(film: Preset, number: int, seconds: float) -> Estimate:
    """That of one scene; the one that it is faded in over is open meanwhile, and takes its memory."""
    scene = film.scenes[number]
    written = scene.preset.model_copy(update={"stages": (*scene.preset.chain, *film.stages), "keep": film.keep})
    if not scene.overlap:
        return estimate(written, seconds)
    with open_film(film.scenes[number - 1].preset) as before:
        before.step(before.first, None)
        return estimate(written, seconds)


def _together(film: Preset, scenes: list[Estimate]) -> Estimate:
    """That of a film of scenes: within a fade two of them are rendered, and written once."""
    made = sum(each.frames for each in scenes)
    frames = film.duration.to_frames(film.fps)
    shown, pieces = made if frames is None else frames, Pieces(Path(), film)
    every, memory = pieces.kept_every(), [each.memory for each in scenes if each.memory is not None]
    return Estimate(
        shown,
        _sum([each.seconds for each in scenes], 1.0),
        max(memory) if memory else None,
        _sum([each.film for each in scenes], shown / made),
        0 if every is None else shown // every,
        max(each.state_bytes for each in scenes),
        pieces.bytes_working(shown),
        scenes[0].device,
    )


def _sum(ranges: list[Range], share: float) -> Range:
    return Range(*(share * sum(getattr(each, key) for each in ranges) for key in ("low", "value", "high")))


class _Probe:
    """Some frames of a film, and what they took."""

    def __init__(self, chain: Film, preset: Preset, folder: Path) -> None:
        self._chain, self._preset, self._pieces, self._raw = chain, preset, Pieces(folder, preset), folder / "raw"
        self.setup = 0.0
        end = chain.spec.checked_frames
        self._parts = [0, *(frame for frame in preset.turns if 0 < frame < end)]
        self._taken: dict[int, list[float]] = {}
        self._first = 0.0
        self._frames = 0
        self._state = 0

    def run(self, seconds: float) -> None:
        """Render the beginning of each part. Raises RunError where there is no frame."""
        previous: Tensor | None = None
        with self._raw.open("wb") as file:
            for number, made, taken in self._passes(seconds):
                if previous is None:
                    self._first = taken
                else:
                    self._taken.setdefault(number, []).append(taken)
                previous = made.feedback
                pixels = to_uint16 if self._pieces.deep else to_uint8
                file.write(np.ascontiguousarray(pixels(self._chain.spec.cut(made.image))).data)
                self._frames += 1
        if previous is None:
            raise RunError(f"{self._preset.name} has no frame; its footage ends before it begins")
        tensors = [previous, *self._chain.state_dict().values()]
        self._state = sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def _passes(self, seconds: float) -> Iterator[tuple[int, Pass, float]]:
        """Frames, each with its part's number and the seconds it took."""
        previous, index = None, 0
        for number, start in enumerate(self._parts):
            if start:
                self._chain.change(self._preset.turns[start], start)
            index, until = max(index, start), time.perf_counter() + seconds / len(self._parts)
            for count in range(_MOST):
                began = time.perf_counter()
                try:
                    made = self._chain.step(index, previous)
                except EndOfFootage:
                    break
                self._chain.require_numbers()  # on a GPU, the frame is done
                yield number, made, time.perf_counter() - began
                previous, index = made.feedback, index + 1
                report("trying some frames", number * _MOST + count, len(self._parts) * _MOST)
                if count >= _FEWEST * self._cadence and time.perf_counter() > until:
                    break

    @property
    def _cadence(self) -> int:
        return max((config.seldom for config in self._chain.preset.chain if isinstance(config, DreamConfig)), default=1)

    def estimate(self) -> Estimate:
        """What the frames say of the whole film."""
        spec = self._chain.spec
        frames = spec.checked_frames if spec.frames is not None else round(60 * spec.fps)
        began = time.perf_counter()
        size = self._encoded(frames)
        encoding = (time.perf_counter() - began) / self._frames
        film, every = Range(*(share * size for share in (_FILM_LESS, 1.0, _FILM_MORE))), self._pieces.kept_every()
        return Estimate(
            frames,
            self._seconds(frames, spec.lead_in, encoding),
            peak_memory(spec.device),
            film,
            0 if every is None else frames // every,
            self._state,
            self._pieces.bytes_working(frames),
            spec.device.type,
        )

    def _encoded(self, frames: int) -> float:
        """Encode what there is, for each output; the bytes of all, were there so many frames of the film."""
        total, spool = 0.0, Spool(self._raw, self._pieces.deep, 0, self._frames)
        for rendition in self._pieces.renditions:
            piece = self._raw.with_name(f"film-{rendition.number}{rendition.segment_suffix}")
            encode(spool, piece, rendition)
            total += piece.stat().st_size * rendition.frames(frames) / rendition.frames(self._frames)
        return total

    def _seconds(self, frames: int, lead_in: int, encoding: float) -> Range:
        """With encoding, which goes on beside where there are processors to spare, or takes its turn."""
        ends = [*self._parts[1:], frames]
        likely, unsure = self._first, 0.0
        for number, (start, end) in enumerate(zip(self._parts, ends, strict=True)):
            taken = self._taken.get(number) or [self._first]
            count = max(0, min(end, frames) - start) + (lead_in if number == 0 else 0)
            likely += count * statistics.fmean(taken) * self._work(start, min(end, frames), len(taken))
            spread = statistics.stdev(taken) / math.sqrt(len(taken)) if len(taken) > 1 else taken[0]
            unsure += count * 2 * spread
        unsure += _AT_LEAST * likely  # and setting up, which takes longest when it is done first
        return Range(likely - unsure, likely + frames * encoding / 2, likely + unsure + frames * encoding + self.setup)

    def _work(self, start: int, end: int, probed: int) -> float:
        """How much more a part's dreams have to do on average than in the frames that were tried: moving `steps`."""
        here = self._preset.at(start)
        spec = here.spec()
        whole, tried = (
            spec.at_frames(np.arange(start, max(start + 1, e), dtype=np.float64)) for e in (end, start + probed)
        )
        dreams = [config for config in here.chain if isinstance(config, DreamConfig)]
        work = [sum(d.work * float(d.steps.values(at).mean()) for d in dreams) for at in (whole, tried)]
        return work[0] / work[1] if dreams and work[1] else 1.0


def peak_memory(device: torch.device) -> int | None:
    """The most bytes that this process has had so far, or has had of the GPU; None where the system can't tell."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
