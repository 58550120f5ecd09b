"""Room on the disk: a render stops before there is too little of it for a film that is whole."""

from __future__ import annotations

import shutil

from pipeline.errors import TroubleError
from pipeline.run.folder import RunFolder

_RESERVE_BYTES = 64 << 20  # a render stops before the disk is fuller than this


def require_space(folder: RunFolder, needed: int = 0) -> None:
    """Raises TroubleError when the folder's disk has no `needed` bytes free, beside some in reserve."""
    free, needed = shutil.disk_usage(folder.lock_file.parent).free, needed + _RESERVE_BYTES
    if free < needed:
        raise TroubleError(
            f"the disk of {folder.path} has {free / 1e6:.0f} MB free, the render needs {needed / 1e6:.0f} MB; "
            "free some space, or choose another disk with --out"
        )
