"""What every stage is told about the run it is in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.curves import Clock, Curve, Moments, looked_at
from pipeline.frame import NO_MARGIN, Projection, Size
from pipeline.ops.border import Border
from pipeline.ops.faces import faces_size
from pipeline.signals import Signals
from pipeline.stages.shot import Shot

Array = NDArray[np.float64]
MOST_LOOKS = 100_000
ENDLESS_SECONDS = 600


@dataclass(frozen=True)
class RunSpec:
    """What every stage may know about the run it is in."""

    size: Size
    """of the pictures that the stages work on: the film's frame, with the margin around it"""
    fps: Fraction
    frames: int | None
    """None for a film without end"""
    seed: int
    device: torch.device
    wants_motion: bool = True
    """whether any stage reads the motion of frames, so that it is worth estimating"""
    builds_up: bool = True
    """whether any of those that read it carries the work on a frame along into the next"""
    continues: bool = True
    """whether the source goes on from the previous output; footage is fresh in every frame"""
    lead_in: int = 0
    """frames that are rendered before the first one and not shown; they have negative indices"""
    looks: int = MOST_LOOKS
    """how many of a film's frames a check of its curves looks at, keyframes not counted"""
    guide: str | None = None
    """the picture that a stage is guided by, the first where there are more"""
    signals: Signals | None = None
    """what the film's sound says, if it listens to any"""
    since: int | None = None
    """of a scene that hears its film's song: the frame of that film which is its own first one"""
    parallax: bool = False
    """whether near and far parts of the picture move differently, so that no matrix says where all of it is going"""
    margin: Size = NO_MARGIN
    """how far the pictures reach beyond the film's frame on each side, in pixels"""
    projection: Projection = "flat"
    shot: Shot | None = None
    """the part of a longer film that the run is, whose time its curves follow"""

    @property
    def frame(self) -> Size:
        """What the film shows of a picture: all but its margin."""
        return Size(self.size.height - 2 * self.margin.height, self.size.width - 2 * self.margin.width)

    @property
    def shown(self) -> RunSpec:
        """The same for those who only see what the film shows."""
        return replace(self, size=self.frame, margin=NO_MARGIN) if any(self.margin) else self

    def cut(self, picture: Tensor) -> Tensor:
        """(..., H, W) without the margin: a view."""
        (down, right), (height, width) = self.margin, self.frame
        return picture[..., down : down + height, right : right + width] if any(self.margin) else picture

    @property
    def on_sphere(self) -> bool:
        """Whether the picture is a whole sphere, which has neither edges nor corners."""
        return self.projection == "equirectangular"

    @property
    def border(self) -> Border:
        """What filters see beyond the picture."""
        return "sphere" if self.on_sphere else "edge"

    @property
    def at_rest(self) -> Tensor:
        """The matrix of a camera that does not move."""
        return torch.eye(4 if self.on_sphere else 3, dtype=torch.float64)

    @property
    def dreamt_size(self) -> Size:
        """The size of the pictures that a network sees: the frame's, or that of views of the sphere, side by side."""
        return faces_size(self.size) if self.on_sphere else self.size

    @property
    def feeds_back(self) -> bool:
        """Whether what a stage does to one frame is still there in the next."""
        return self.continues or (self.wants_motion and self.builds_up)

    @property
    def checked_frames(self) -> int:
        """The frames of the film; of one without end, those of ten minutes."""
        return max(1, round(ENDLESS_SECONDS * self.fps)) if self.frames is None else self.frames

    @property
    def clock(self) -> Clock:
        """What curves may know about the film."""
        frames = self.frames if self.shot is None else self.shot.film
        return Clock(self.fps, frames, self.seed, self.signals, self.since)

    @property
    def begins(self) -> int:
        """The frame of the film that the run's first one is: above 0 for a shot behind others."""
        return 0 if self.shot is None else self.shot.first

    @property
    def begins_at(self) -> float:
        """The same in seconds."""
        return float(self.begins / self.fps)

    def at_frame(self, frame: float) -> Moments:
        """The film's moment that the run's frame `frame` is shown at."""
        return self.clock.at_frame(frame + self.begins)

    def at_frames(self, frames: Array) -> Moments:
        """The film's moments of frames (N,) of the run."""
        return self.clock.at_frames(frames + self.begins)

    def at_seconds(self, seconds: Array) -> Moments:
        """The film's moments at times (N,) from the run's beginning on."""
        return self.clock.at_seconds(seconds + self.begins_at)

    def timeline(self, curve: Curve) -> Moments:
        """The frames that a check of the curve looks at: all, or of a long film ends, keyframes and a sample."""
        knots = curve.knots(self.clock) * float(self.fps) - self.begins
        return self.at_frames(looked_at(self.checked_frames, self.looks, knots))
