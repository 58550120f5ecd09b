"""The loop: frame after frame through a chain, or through those of a film's scenes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from pipeline.chain.film import Film
from pipeline.chain.links import Chain, clock
from pipeline.chain.scenes import Scenes, settled_scenes
from pipeline.change import settled
from pipeline.device import open_device, out_of_memory_said
from pipeline.errors import RunError
from pipeline.frame import Frame
from pipeline.preset import Preset
from pipeline.stages import EndOfFootage

__all__ = ["Chain", "Film", "Frame", "Scenes", "clock", "frames", "open_film", "settled_from"]


def open_film(preset: Preset, frame: int | None = None) -> Film:
    """What makes the preset's frames, to go on with `frame`; without one, with the first. Raises PipelineError."""
    return Scenes(preset, frame) if preset.scenes else Chain(preset, frame)


def settled_from(preset: Preset, frame: int) -> Preset:
    """The preset of a film that goes on with `frame`, its changes and what begins later with no `auto` left.

    Raises what building a stage raises.
    """
    return settled_scenes(preset, frame) if preset.scenes else settled(preset, open_device(preset.device))


def frames(preset: Preset) -> Iterator[Frame]:
    """The film's frames, one after the other; each is computed when it is asked for. Raises PipelineError.

    A film that is cut into `shots` has none in a row: `render` makes its shots, each a run of its own.
    """
    if preset.cut_into_shots:
        raise RunError("the film is cut into `shots`, each a run of its own; render it, or leave `shots` out")
    with out_of_memory_said(), open_film(preset) as chain:
        chain.settle(preset)
        previous = None
        for index in count(chain.first) if chain.spec.frames is None else range(chain.first, chain.spec.frames):
            try:
                made = chain.step(index, previous)
            except EndOfFootage:
                break
            previous = made.feedback
            if index >= 0:
                yield Frame(made)
        chain.require_numbers()
