"""Beginning or going on, whichever applies, and noting what trying again would not mend: for schedulers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import PASSING, PipelineError
from pipeline.outputs import Output
from pipeline.run.folder import RunFolder
from pipeline.run.log import RunLog
from pipeline.run.options import OnFrame, Options, Result
from pipeline.run.session import resume
from pipeline.run.standing import standing


def proceed(
    out: str | Path,
    on_frame: OnFrame | None = None,
    *,
    outputs: Output | Sequence[Output] = (),
    options: Options | None = None,
) -> Result | None:
    """Begin or go on with the run in `out`, whichever applies; None, and nothing done, where it is finished.

    What can't be mended by trying again is noted in the run's log, as `failed`. Raises what `resume` raises:
    TroubleError and DeviceError for what may be over by the next try.
    """
    folder = RunFolder(out)
    with failures_noted(folder):
        folder.load_preset()  # raises where there is none
        if standing(folder).state == "finished":
            return None
        return resume(out, on_frame, outputs=outputs, options=options)


@contextlib.contextmanager
def failures_noted(folder: RunFolder) -> Iterator[None]:
    """What goes wrong in the block, and would again, is noted in the run's log."""
    try:
        yield
    except PASSING:
        raise
    except PipelineError as error:
        if folder.holds_run():
            with folder.writing(), contextlib.closing(RunLog(folder.log_file)) as log:
                log.event("failed", error=str(error))
        raise
