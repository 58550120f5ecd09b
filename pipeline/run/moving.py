"""Files that lie elsewhere by now: all that may differ in the preset of a run that goes on."""

from __future__ import annotations

from pipeline.errors import RunError
from pipeline.preset import Preset
from pipeline.run.changes import changed_keys


def require_only_moved(before: Preset, after: Preset, free: set[str]) -> None:
    """Raises RunError when more than the keys in `free` and the paths of files differs."""
    files = before.inputs().keys() & after.inputs().keys()
    old, new = (preset.with_inputs(dict.fromkeys(files, "")) for preset in (before, after))
    changes = changed_keys(*({**data, **dict.fromkeys(free)} for data in (old, new)))
    if changes:
        listed = "\n  ".join(changes)
        raise RunError(f"{only_moved(before)}:\n  {listed}")


def only_moved(preset: Preset) -> str:
    """What a run that goes on takes, in words."""
    keys = ", ".join(preset.inputs()) or "none"
    return f"a run that goes on takes new places of its files, nothing else (here: {keys}); render anew, with --out"
