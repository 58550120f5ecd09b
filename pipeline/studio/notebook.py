"""A film in a notebook's cell, while it is rendered."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pipeline.chain import frames
from pipeline.frame import Frame
from pipeline.preset import Preset, load_preset
from pipeline.studio.jpeg import to_jpeg

_PAUSE_SECONDS = 1 / 12
_NO_NOTEBOOK = (
    "show() streams frames into a notebook's cell, and this is none: take pipeline.frames(preset) here, "
    "or `dreamreel studio` to watch in a browser"
)


def show(preset: Preset | str | Path, *, width: int | None = 640) -> None:
    """Render a preset and show its frames in the notebook's cell, one in the place of the other.

    `preset` may be a file's path or a name on the shelf too. Pictures are made no wider than `width` pixels. Where
    frames come faster than twelve a second, some are left out. Nothing is written to the disk; interrupting the cell
    ends it, with the last frame shown. Outside a notebook it only says so. Raises PipelineError.
    """
    put = _cell(width)
    if put is None:
        print(_NO_NOTEBOOK)
        return
    loaded = preset if isinstance(preset, Preset) else load_preset(preset)
    shown_at, newest = -1.0, None
    try:
        for frame in frames(loaded):
            newest = frame
            if time.monotonic() - shown_at >= _PAUSE_SECONDS:
                put(frame)
                shown_at, newest = time.monotonic(), None
    except KeyboardInterrupt:
        pass
    if newest is not None:
        put(newest)


def _cell(width: int | None) -> Callable[[Frame], None] | None:
    """What shows a frame in the cell that runs; None outside a notebook."""
    try:
        from IPython import get_ipython
        from IPython.display import DisplayHandle, Image
    except ImportError:
        return None
    if get_ipython() is None:
        return None
    handle: DisplayHandle = DisplayHandle()  # type: ignore[no-untyped-call]
    begun = False

    def put(frame: Frame) -> None:
        nonlocal begun
        picture = Image(data=to_jpeg(frame.pixels, width), format="jpeg", alt=f"frame {frame.index}")  # type: ignore[no-untyped-call]
        (handle.update if begun else handle.display)(picture)  # type: ignore[no-untyped-call]
        begun = True

    return put
