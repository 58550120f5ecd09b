"""The process that renders one shot: `python -m pipeline.run.shot_worker TASK`, with the task as JSON.

It tells what becomes of it in lines of JSON, and stops in good order when its standard input ends.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from pipeline.errors import PASSING, PipelineError
from pipeline.run.options import Options
from pipeline.run.session import resume
from pipeline.run.settings import Settings


def main(task: dict[str, Any]) -> None:
    """Render the shot in the task's folder."""
    Settings.model_validate(task["settings"]).take()
    stop = threading.Event()
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()
    options = Options(
        on_frame=lambda frame, spec: _tell(rendered=1, times=frame.times),
        on_message=lambda text: _tell(message=text),
        should_stop=stop.is_set,
        checkpoint_seconds=task["checkpoint_seconds"],
    )
    try:
        result = resume(task["folder"], moved=task["moved"], options=options)
        _tell(finished=result.finished, notes=result.notes)
    except PipelineError as error:
        _tell(error=str(error), resumable=isinstance(error, PASSING))


def _watch(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _tell(**said: Any) -> None:
    try:
        print(json.dumps(said), flush=True)
    except OSError:  # whoever listened is gone, and the end of standard input says so too
        return


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
