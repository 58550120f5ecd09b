"""What an output is: something that watches a film being made, frame after frame."""

from __future__ import annotations

from typing import Literal, get_args

from pipeline.errors import PipelineError
from pipeline.frame import Frame
from pipeline.stages import RunSpec

WhenSlow = Literal["hold", "drop"]


class Output:
    """Gets the frames of a film as they are made, those of a lead-in left out; only `put` has to be written.

    Each output of a run works in a thread of its own, where its three methods are called one after the other. What
    they raise is told, and the output gets no more frames: the film goes on without it. The frames are its own, to
    keep and to change. Nothing of an output is in a checkpoint: in a resumed run it sees the frames from there on.
    A run waits at its end for `put` and `close` to return, whatever `when_slow` says; the film is finished by then.
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


def require_output(given: object) -> None:
    """Raises PipelineError for what a run can't hand frames to."""
    if not isinstance(given, Output):
        said = "a class, not one made from it" if isinstance(given, type) else f"of type {type(given).__name__}"
        raise PipelineError(f"an output is {said}, must be a pipeline.Output, as in `outputs=[pipeline.Latest()]`")
    if given.when_slow not in get_args(WhenSlow):
        choices = " or ".join(map(repr, get_args(WhenSlow)))
        raise PipelineError(f"the output {given.name} has when_slow = {given.when_slow!r}, must be {choices}")
