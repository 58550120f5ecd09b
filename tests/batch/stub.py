"""A renderer that renders nothing: one real run, given to every folder of a batch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from pipeline.batch import Work
from pipeline.run import proceed


def finish_all(works: Sequence[Work]) -> None:
    """Render the first, and hand what it made to all others, whose films then are its."""
    first = works[0].folder
    proceed(first.path)
    for work in works[1:]:
        for path in first.path.iterdir():
            if path.is_file() and path.name not in ("preset.yaml", "batch.json"):
                target = work.folder.path / path.name
                target.unlink(missing_ok=True)
                os.link(path, target)
        shutil.copytree(first.state, work.folder.state, dirs_exist_ok=True)
