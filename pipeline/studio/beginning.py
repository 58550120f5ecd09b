"""Where a draft begins: at a frame of a run, small, with what the run knew there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.chain import Chain
from pipeline.errors import PipelineError
from pipeline.frame import Size, from_array, size_of
from pipeline.ops.warp import resize
from pipeline.preset import Preset
from pipeline.run.facts import Found, load_found
from pipeline.run.folder import RunFolder
from pipeline.run.frames import Frames
from pipeline.run.recovery import saved_states
from pipeline.stages import Stage

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
    """The state of a run behind frame `frame`: that of its nearest checkpoint, with the frame itself as it is shown.

    What only the film shows must not go round: where there is such a stage, it begins with the checkpoint's own frame.
    Raises PipelineError where there is no such frame.
    """
    folder = RunFolder(run)
    preset = folder.load_preset()
    found = _nearest(folder, preset, frame + 1)
    pixels = Frames(folder.pieces(preset), preset).read(frame)
    if pixels is None:
        raise PipelineError(f"{run.name} has no frame {frame} yet")
    shown_only = any(not each.feeds_back for each in preset.at(frame).chain)
    if found is not None and (found.frame == frame + 1 or (shown_only and found.frame <= frame)):
        return Beginning(found.frame, found.previous, found.tensors)
    shown = from_array(pixels)
    around = resize(shown, preset.canvas) if found is None else found.previous.clone()
    down, right = ((big - small) // 2 for big, small in zip(size_of(around), size_of(shown), strict=True))
    around[..., down : down + shown.shape[-2], right : right + shown.shape[-1]] = shown
    return Beginning(frame + 1, around, {} if found is None else found.tensors)


def _nearest(folder: RunFolder, preset: Preset, frame: int) -> Found | None:
    """The newest checkpoint up to a frame; else the first behind it, which knows how the film began as well."""
    states = saved_states(folder)
    before = [each for each in states if 0 <= each[0] <= frame]
    for saved, place in (*before, *(each for each in reversed(states) if each[0] > frame)):
        try:
            return load_found(place, saved, preset.canvas)
        except ValueError:
            continue
    return None


def take_over(chain: Chain, begun: Beginning) -> Tensor | None:
    """Give the stages of a smaller chain what they can use of the states; returns what its next frame is made from.

    A stage that has to be there from a film's first frame, and knows nothing of it, is left out.
    """
    if begun.previous is None:
        return None
    canvas, size = size_of(begun.previous), chain.spec.size
    states = {name: _fitted(value, canvas, size) for name, value in begun.states.items()}
    chain.effects = [stage for stage in chain.effects if _goes_on(stage, states, begun.index)]
    _goes_on(chain.source, states, begun.index)
    return resize(begun.previous, size).clamp(0, 1).to(chain.spec.device)


def _goes_on(stage: Stage[Any], states: Mapping[str, Tensor], index: int) -> bool:
    head = f"{stage.config.id}/"
    own = {name.removeprefix(head): value for name, value in states.items() if name.startswith(head)}
    own = {name: value for name, value in own.items() if name not in _OF_A_SIZE}
    try:
        if not own:
            stage.join(index)
        stage.load_state_dict(own)
    except PipelineError:
        return False
    except (AssertionError, KeyError, IndexError, TypeError, ValueError, RuntimeError):
        return True  # of another kind than the run's: it begins here
    return True


def _fitted(value: Tensor, canvas: Size, size: Size) -> Tensor:
    """A picture of the run's size at that of the draft; all else as it is."""
    if value.dim() != 4 or size_of(value) != canvas or not torch.is_floating_point(value):
        return value
    return resize(value, size)
