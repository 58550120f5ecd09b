"""The mask of a film's dream: of whatever kinds it is joined, those that stay and those that go along."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.masks.field import Mask, joined, simple_masks
from pipeline.masks.followed import FollowedSubject
from pipeline.masks.kinds import FilmMask, FoundMask, ImageMask, RadialMask, SimpleMask
from pipeline.masks.reel import MaskReel
from pipeline.ops.border import pad
from pipeline.ops.motion import Motion


class Film(Protocol):
    """What a mask is told of the film that it belongs to; `RunSpec` is one."""

    @property
    def fps(self) -> Fraction: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def on_sphere(self) -> bool: ...

    @property
    def margin(self) -> Size: ...

    def cut(self, picture: Tensor) -> Tensor:
        """(..., H, W) without the margin."""


class MovingMask:
    """A mask for frame after frame of a film, which sees all of them in their order."""

    def __init__(self, config: Mask, film: Film, like: MovingMask | None = None) -> None:
        """`like` is one whose subjects it goes on with, as far as it has them too."""
        self._config, self._film = config, film
        found = [each for _, each in simple_masks(config)]
        self._reels = {
            each: MaskReel(each, film.fps, film.on_sphere) for each in found if not isinstance(each, FoundMask)
        }
        # What is found differs by this alone; all else is done to it afterwards.
        half_lives = dict.fromkeys(each.half_life for each in found if isinstance(each, FoundMask))
        known: dict[float, FollowedSubject] = {} if like is None else like._subjects
        before = next(iter(known.values()), None)
        self._subjects: dict[float, FollowedSubject] = {
            each: known[each] if each in known else FollowedSubject(each, film.fps, film.device, before)
            for each in half_lives
        }
        self._shown: dict[float, Tensor] = {}

    def follow(self, frame: Tensor, index: int, motion: Motion | None, *, fresh: bool, footage: Tensor | None) -> None:
        """Go along into frame `index`, (1, 3, H, W), dreamt on or not; see `FollowedSubject.follow`."""
        for half_life, subject in self._subjects.items():
            shown = frame if footage is None else footage
            is_footage = footage is not None
            self._shown[half_life] = subject.follow(shown, index, motion, fresh=fresh, footage=is_footage)

    def __call__(self, shown: Tensor, index: int) -> Tensor:
        """The mask (1, 1, H, W) in [0, 1] of what is shown (1, 3, H, W) as frame `index` of the film."""
        return joined(self._config, lambda each: self._drawn(each, shown, index))

    def _drawn(self, each: SimpleMask, shown: Tensor, index: int) -> Tensor:
        if isinstance(each, FoundMask):
            return each(self._shown[each.half_life])
        if not isinstance(each, ImageMask | FilmMask | RadialMask):
            return self._reels[each](shown, index)
        # One that knows places knows those of the film's frame, and goes on beyond it as it ends.
        (down, right) = self._film.margin
        return pad(pad(self._reels[each](self._film.cut(shown), index), 2, down, "edge"), 3, right, "edge")

    def digests(self) -> dict[str, str]:
        """What tells the numbers of networks that take part from others, by key."""
        return {"mask": next(iter(self._subjects.values())).digest()} if self._subjects else {}

    def state_dict(self) -> dict[str, Tensor]:
        """What must survive a resume."""
        states = zip(self._prefixes, self._subjects.values(), strict=True)
        return {f"{mine}{name}": value for mine, each in states for name, value in each.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave; other names are left alone."""
        for mine, each in zip(self._prefixes, self._subjects.values(), strict=True):
            each.load_state_dict(
                {name.removeprefix(mine): value for name, value in state.items() if name.startswith(mine)}
            )

    @property
    def _prefixes(self) -> list[str]:
        """What the names of each subject's state begin with."""
        return [f"mask-{number}-" if number else "mask-" for number in range(len(self._subjects))]
