"""The subject of a film's pictures: it goes along with them, and neither flickers nor drifts."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from pipeline.masks.subject import SubjectFinder
from pipeline.ops.motion import Motion, warp

_LOOKS_PER_SECOND = 6


class FollowedSubject:
    """What was found in a picture, carried along the motion from frame to frame.

    Over footage it is looked for again several times a second, and what is shown gives way to that, frame by frame;
    where something comes into sight, at once. Without footage the picture is the dream itself, in which nothing is
    looked for: what the film began with is carried on, and what comes into sight is background.
    """

    def __init__(
        self, half_life: float, fps: Fraction, device: torch.device, like: FollowedSubject | None = None
    ) -> None:
        """`half_life` is in seconds of footage: after that, half has given way to what is found now.

        It begins with what one that it is `like` shows; that one goes on as it is.
        """
        self._device = device
        self._every = max(1, round(fps / _LOOKS_PER_SECOND))
        self._share = 1 - 0.5 ** (1 / float(fps) / half_life) if half_life > 0 else 1.0
        self._finder: SubjectFinder = SubjectFinder(device) if like is None else like._finder
        self._shown: Tensor | None = None if like is None else like._shown
        self._found: Tensor | None = None if like is None else like._found

    def follow(self, picture: Tensor, index: int, motion: Motion | None, *, fresh: bool, footage: bool) -> Tensor:
        """The subject (1, 1, H, W) in [0, 1] of frame `index`, (1, 3, H, W), which came by `motion` out of the last.

        A `fresh` frame has none before it; of `footage` the picture is given as it was filmed.
        """
        if self._shown is None or self._found is None or fresh:
            self._shown = self._found = self._finder(picture)
        elif footage:
            self._meet(picture, index, motion)
        elif motion is not None:
            moved = warp(self._shown, motion.flow, motion.edges).clamp(0, 1)
            self._shown = self._found = moved * motion.trust
        return self._shown

    def _meet(self, picture: Tensor, index: int, motion: Motion | None) -> None:
        assert self._shown is not None and self._found is not None
        kept: Tensor | float = 1 - self._share
        if motion is not None:
            both = torch.cat([self._shown, self._found], 1)
            moved = warp(both, motion.flow, motion.edges).clamp(0, 1)
            self._shown, self._found = moved[:, :1], moved[:, 1:]
            kept = kept * motion.trust
        if index % self._every == 0:
            self._found = self._finder(picture)
        self._shown = self._found + kept * (self._shown - self._found)

    def digest(self) -> str:
        """What tells the network's numbers from others."""
        return self._finder.digest()

    def state_dict(self) -> dict[str, Tensor]:
        """What must survive a resume."""
        kept = {"shown": self._shown, "found": self._found}
        return {name: value.contiguous() for name, value in kept.items() if value is not None}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self._shown, self._found = (
            state[name].to(self._device) if name in state else None for name in ("shown", "found")
        )
