"""How fast frames come, and how long the rest of a film will take."""

from __future__ import annotations

from collections import deque

from pipeline.preset import Preset
from pipeline.stages.dream import DreamConfig

_WINDOW_SECONDS = 60.0
_TELLING = 0.02  # share of a frame from which on it says how long the whole takes


class Pace:
    """Told of frames as they come, it says what is left.

    The first frame of a film takes `first_weight` times as long as the others, and the first one of a process sets
    things up: neither counts for the pace once others are there. A process that goes on with a film has no
    `first_weight`, and says nothing before its first frame.
    """

    def __init__(self, frames: int | None, lead_in: int, first_weight: float | None) -> None:
        self._frames, self._first_weight = frames, first_weight
        self._done = -lead_in
        self._began: float | None = None
        self._ends: deque[float] = deque()
        self._guess: float | None = None  # seconds of an ordinary frame, as far as the first one tells

    def partly(self, share: float, now: float) -> None:
        """So much of the frame at hand is done; only of the first one is that news."""
        self._began = now if self._began is None else self._began
        if self._first_weight is not None and not self._ends and share > _TELLING:
            self._guess = (now - self._began) / share / self._first_weight

    def frame(self, index: int, seconds: float, now: float) -> None:
        """Frame `index` is done, and took so many seconds; the first one, since it was first heard of."""
        if not self._ends:
            taken = seconds if self._began is None else now - self._began
            self._guess = taken / (1.0 if self._first_weight is None else self._first_weight)
        self._ends.append(now)
        while len(self._ends) > 3 and now - self._ends[0] > _WINDOW_SECONDS:
            self._ends.popleft()
        self._done = index + 1

    def per_frame(self) -> float | None:
        """Seconds of an ordinary frame; None while nothing is known."""
        if len(self._ends) > 1:
            return (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        return self._guess

    def left(self, now: float) -> float | None:
        """Seconds to the end of the last frame; None when nothing is known yet, or the film has no end."""
        each = self.per_frame()
        if self._frames is None or each is None:
            return None
        frames = self._frames - self._done
        if self._ends:
            return max(0.0, frames * each - min(each, now - self._ends[-1]))
        assert self._began is not None and self._first_weight is not None
        return max(0.0, each * self._first_weight - (now - self._began)) + (frames - 1) * each


def first_frame_weight(preset: Preset) -> float:
    """How much longer a film's first frame takes than the next, by the steps that its dreams take in both."""
    preset = preset.scenes[0].preset if preset.scenes else preset
    start = preset.spec().at_frame(0)
    dreams = [config for config in preset.stages if isinstance(config, DreamConfig)]
    first = sum(config.octaves * config.first_steps for config in dreams)
    later = sum(config.work * round(config.steps.at(start)) for config in dreams)
    return first / later if first and later else 1.0
