"""What an output is: something that watches a film being made, frame after frame."""

from __future__ import annotations

from typing import Literal

from pipeline.frame import Frame
from pipeline.stages import RunSpec

WhenSlow = Literal["hold", "drop"]


class Output:
    """Gets the frames of a film as they are made, those of a lead-in left out; only `put` has to be written.

    Each output of a run works in a thread of its own, where its three methods are called one after the other. What
    they raise is told, and the output gets no more frames: the film goes on without it. The frames are its own, to
    keep and to change. Nothing of an output is in a checkpoint: in a resumed run it sees the frames from there on.
    """

    when_slow: WhenSlow = "hold"
    """what happens while `put` takes longer than a frame: `hold` makes the film wait, so that every frame comes, in
    order; `drop` never does, and leaves out all but the newest of the frames that came meanwhile"""

    @property
    def name(self) -> str:
        """What messages call it."""
        return type(self).__name__

    def open(self, spec: RunSpec) -> None:
        """Get ready for the frames of a run: their size, their rate, and how many the whole film has."""

    def put(self, frame: Frame) -> None:
        """Take a frame."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what was opened: called once after `open`, when the run ends in whatever way, or `put` fails."""
