"""An endless zoom at 1280x720: milliseconds of a frame by stage, and the share outside the network.

    python -m benchmarks.zoom [--rounds 3]

Processor time of one thread for everything in the loop, of all threads of ffmpeg for the encoder.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import report, threads, time_in_turn
from pipeline.chain import Chain
from pipeline.frame import size_of, to_uint8
from pipeline.ops.measure import look
from pipeline.ops.pyramid import octave_sizes
from pipeline.ops.warp import resize
from pipeline.outputs import EncodeConfig, Master, Rendition, Spool, encode
from pipeline.preset import Override, parse_preset
from pipeline.stages import Effect, FrameContext
from pipeline.stages.dream import Dream

ENCODED_FRAMES = 24
STEPS = 2
PRESET = b"""
size: 1280x720
fps: 24
stages:
  - stage: noise
  - stage: zoom
    zoom: 1.3
  - stage: dream
    octaves: 2
    steps: 2
    first_steps: 1
  - stage: palette
  - stage: encode
    preset: veryfast
"""


def measure(engine: str, rounds: int) -> dict[str, Any]:
    """Milliseconds by stage; `network` is what the dream's gradients take."""
    overrides = [Override("dream.engine", engine)]
    preset = parse_preset(PRESET, name="zoom", overrides=overrides)
    with Chain(preset) as chain, torch.no_grad(), threads(1):
        frame = chain.step(0, None).image
        pixels = to_uint8(frame)
        (dream,) = (effect for effect in chain.effects if isinstance(effect, Dream))
        parts: dict[str, Callable[[], object]] = {
            effect.config.id: partial(in_a_frame, effect, frame) for effect in chain.effects
        }
        parts["network"] = partial(gradients, dream, frame)
        parts["to 8 bits"], parts["figures"] = partial(to_uint8, frame), partial(look, pixels)
        seconds = time_in_turn(parts, rounds)
        seconds["encode"] = encode_seconds(chain, frame, preset.encode)
    whole = sum(taken for name, taken in seconds.items() if name != "network")
    milliseconds = {name: round(1e3 * taken, 1) for name, taken in seconds.items()}
    return {"engine": engine, **milliseconds, "frame": 1e3 * whole, "outside": 1 - seconds["network"] / whole}


def in_a_frame(effect: Effect[Any], frame: Tensor) -> None:
    """The effect on the film's second frame; each time is one anew, since stages tell it of what they did."""
    effect(frame, FrameContext(1, effect.spec, frame))


def gradients(dream: Dream, frame: Tensor) -> None:
    """The gradients of a frame's dream, and nothing else of it."""
    for size in octave_sizes(size_of(frame), dream.config.octaves, dream.config.octave_scale):
        image = resize(frame, size)
        for _ in range(STEPS):
            dream.dreamer.engine(image, dream.dreamer.objective)


def encode_seconds(chain: Chain, frame: Tensor, config: EncodeConfig) -> float:
    """ffmpeg's processor time for one frame, of a second of film that moves."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder) / "spool"
        with spool.open("wb") as file:
            for _ in range(ENCODED_FRAMES):
                file.write(to_uint8(frame).data)
                frame = chain.effects[0](frame, FrameContext(1, chain.spec, frame))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        frames = Spool(spool, False, 0, ENCODED_FRAMES)
        encode(frames, Path(folder) / "film.mp4", Rendition(config, Master(chain.spec.size, chain.spec.fps)))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / ENCODED_FRAMES


def main() -> None:
    """The engine that is chosen, against the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given, _ = parser.parse_known_args()
    report("zoom", [measure(engine, given.rounds) for engine in ("auto", "reference")])


if __name__ == "__main__":
    main()
