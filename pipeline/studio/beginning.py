"""Where a draft begins: at a frame of a run, small, with what the run knew there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipeline.chain import Chain
from pipeline.errors import PipelineError
from pipeline.frame import Size, from_array, size_of
from pipeline.ops.warp import resize
from pipeline.preset import Preset
from pipeline.run.facts import Found, load_found
from pipeline.run.folder import RunFolder
from pipeline.run.recovery import saved_states
from pipeline.studio.film import pixels_of

_OF_A_SIZE = ("pending", "unseen")
"""what a dream has yet to add: it was meant for another number of frames, and of pixels"""


@dataclass(frozen=True)
class Beginning:
    """What a chain goes on from: with frame `index`, from `previous` (1, 3, H, W), and states of stages by ID/NAME."""

    index: int
    previous: Tensor | None
    states: dict[str, Tensor]


NOTHING = Beginning(0, None, {})


def beginning(run: Path, frame: int) -> Beginning:
    """The state of a run behind frame `frame`: its newest one up to there, with the frame itself as it is shown.

    What only the film shows must not go round: a preset that has such stages is gone on with from that state's frame.
    Raises PipelineError where there is no such frame.
    """
    folder = RunFolder(run)
    preset = folder.load_preset()
    found = _newest(folder, preset, frame + 1)
    pixels = pixels_of(folder.pieces(preset), frame)
    if pixels is None:
        raise PipelineError(f"{run.name} has no frame {frame} yet")
    shown_only = any(not each.feeds_back for each in preset.at(frame).chain)
    if found is not None and (shown_only or found.frame == frame + 1):
        return Beginning(found.frame, found.previous, found.tensors)
    shown = from_array(pixels)
    around = shown if found is None else found.previous.clone()
    down, right = ((big - small) // 2 for big, small in zip(size_of(around), size_of(shown), strict=True))
    around[..., down : down + shown.shape[-2], right : right + shown.shape[-1]] = shown
    return Beginning(frame + 1, around, {} if found is None else found.tensors)


def _newest(folder: RunFolder, preset: Preset, frame: int) -> Found | None:
    for saved, states in saved_states(folder):
        if 0 <= saved <= frame:
            try:
                return load_found(states, saved, preset.canvas)
            except ValueError:
                continue
    return None


def take_over(chain: Chain, begun: Beginning) -> Tensor | None:
    """Give the stages of a smaller chain what they can use of the states; returns what its next frame is made from."""
    if begun.previous is None:
        return None
    canvas, size = size_of(begun.previous), chain.spec.size
    for stage in chain.stages:
        head = f"{stage.config.id}/"
        own = {
            name.removeprefix(head): _fitted(value, canvas, size)
            for name, value in begun.states.items()
            if name.startswith(head) and name.removeprefix(head) not in _OF_A_SIZE
        }
        try:
            stage.load_state_dict(own)
        except (AssertionError, KeyError, IndexError, TypeError, ValueError, RuntimeError):
            # Of another kind than the run's: it begins here, as far as it can.
            try:
                stage.join(begun.index)
            except PipelineError:
                continue
    return resize(begun.previous, size).clamp(0, 1).to(chain.spec.device)


def _fitted(value: Tensor, canvas: Size, size: Size) -> Tensor:
    """A picture of the run's size at that of the draft; all else as it is."""
    if value.dim() != 4 or size_of(value) != canvas or not torch.is_floating_point(value):
        return value
    return resize(value, size)
