"""How a run is watched, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.frame import Frame
from pipeline.outputs import Output
from pipeline.stages import RunSpec

OnFrame = Callable[[Frame, RunSpec], None]


@dataclass(frozen=True)
class Options:
    """How a run is watched and kept; none of it changes a byte of the film."""

    on_frame: OnFrame = lambda frame, spec: None
    """sees every frame of the film between two frames, in the caller's own thread: what it raises ends the render"""
    outputs: tuple[Output, ...] = ()
    """see the film's frames too, each in a thread of its own: what they raise is told, and the film goes on"""
    on_lead_in: Callable[[int, int], None] = lambda done, total: None
    """hears of every frame of the lead-in, which is not shown: how many are done, of how many"""
    on_message: Callable[[str], None] = lambda text: None
    """hears warnings, and what may surprise in the preset"""
    should_stop: Callable[[], bool] = lambda: False
    """asked before every frame, those of the lead-in too, and while the folder's last owner is waited for; True ends
    the render with a checkpoint, or that wait"""
    checkpoint_seconds: float = 30.0
    """at most so much work is ever lost"""
    workers: int = 1
    """how many shots of a film that is cut into `shots` are rendered side by side, each in a process of its own; with
    more than one, `on_frame` sees none of their frames"""


@dataclass
class Result:
    """What a render made. `finished` is False when it was stopped on the way."""

    path: Path
    folder: Path
    frames: int
    """of the film, rendered by this call or before; a lead-in is not counted"""
    rendered: int
    """frames of the film rendered by this call"""
    seconds: float
    times: dict[str, float] = field(default_factory=dict)
    """seconds by stage id, over all that this call rendered, a lead-in too"""
    finished: bool = False
    notes: list[str] = field(default_factory=list)
    """what the user should hear about, such as damage in the footage that was bridged"""
    others: tuple[Path, ...] = ()
    """what the film is written as beside `path`: files, and folders of pictures"""
