"""A film's packets and the times of its pictures; `timestamps` makes these from those."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]
UNSAID = int(np.iinfo(np.int64).min)
"""stands where a packet does not say a time"""


@dataclass(frozen=True, eq=False)
class Packets:
    """What a file says of each packet of its pictures, in the order they are read; times in ticks of its clock."""

    pts: Ticks
    dts: Ticks
    durations: Ticks
    sizes: Ticks
    shown: NDArray[np.bool_]
    """whether the packet is for a picture that is shown"""
    keys: NDArray[np.bool_]
    """whether decoding can begin with it"""


@dataclass(frozen=True, eq=False)
class Timeline:
    """When each packet's picture is shown: strictly rising once sorted; pictures come in the decoder's order."""

    packets: Packets
    times: Ticks
    """one for each packet, UNSAID where it shows nothing"""
    unit: Fraction
    """seconds in one of them"""
    last: Fraction
    """how long the last picture is shown, in seconds"""
    fps: Fraction
    notes: tuple[str, ...]

    def time(self, number: int) -> Fraction | None:
        """When the picture of a packet is shown, in seconds on the file's clock; None if it is not."""
        if not 0 <= number < len(self.times) or self.times[number] == UNSAID:
            return None
        return int(self.times[number]) * self.unit

    @cached_property
    def begin(self) -> Fraction:
        """When the first picture is shown."""
        return int(self.times[self.packets.shown].min()) * self.unit

    @cached_property
    def end(self) -> Fraction:
        """When the last picture is over."""
        return self._latest * self.unit + self.last

    @cached_property
    def _latest(self) -> int:
        return int(self.times.max())

    def length(self, number: int) -> Fraction:
        """For how long the file shows a packet's picture, in seconds; a frame's time where it does not say."""
        if self.times[number] == self._latest:
            return self.last
        ticks = int(self.packets.durations[number])
        return ticks * self.unit if ticks > 0 else 1 / self.fps

    def entry(self, seconds: Fraction, early: int) -> int | None:
        """Where to seek, in ticks of the file's own clock, for the last key frame that is shown until `seconds`.

        That is `early` packets before it. None where the file does not say, or that would be its beginning.
        """
        keys = np.flatnonzero(self.packets.keys & self.packets.shown)
        keys = keys[self.times[keys] <= int(seconds / self.unit)]
        if len(keys) == 0:
            return None
        number = int(keys[np.argmax(self.times[keys])]) - early
        said = [int(stamps[number]) for stamps in (self.packets.pts, self.packets.dts) if stamps[number] != UNSAID]
        return min(said) if said and number > 0 else None

    @cached_property
    def _said(self) -> Ticks:
        return np.where(self.packets.pts != UNSAID, self.packets.pts, self.packets.dts)

    def find(self, pts: int | None, dts: int | None, size: int) -> int | None:
        """The number of the only packet that says this of itself; None where there is none, or more."""
        said = pts if pts is not None else dts
        if said is None:
            return None
        found = np.flatnonzero((self._said == said) & (self.packets.sizes == size))
        return int(found[0]) if len(found) == 1 else None

    def agrees(self, number: int, pts: int | None, dts: int | None, size: int) -> bool:
        """Whether packet `number` is one that says this of itself."""
        if number >= len(self.times):
            return False
        said = pts if pts is not None else dts if dts is not None else UNSAID
        return bool(self._said[number] == said and self.packets.sizes[number] == size)
