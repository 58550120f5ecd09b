"""The files that a run works with: what is in them, whether that is still the same, and where they are now."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from pipeline.errors import RunError, shell_word
from pipeline.media.inputs import Fingerprint, fingerprint
from pipeline.preset import Preset
from pipeline.run.facts import Facts, InputFacts
from pipeline.run.folder import RunFolder

_MUCH = 4 * 10**9  # bytes that take some seconds to read
Place = tuple[str | int, ...]


def fingerprints(preset: Preset, say: Callable[[str], None]) -> dict[str, Fingerprint | None]:
    """What is in each file, folder or pattern that the preset names, by its key; None for what can't be read."""
    inputs, size = preset.inputs(), 0
    for each in inputs.values():
        with contextlib.suppress(OSError):
            size += each.path.stat().st_size
    if size > _MUCH:
        say(f"reading {size / 1e9:.0f} GB of inputs, to know them again")
    return {key: fingerprint(each.path) for key, each in inputs.items()}


def as_facts(found: Mapping[str, Fingerprint | None], before: Facts | None) -> dict[str, InputFacts]:
    """The fingerprints as a checkpoint keeps them; what is gone by now, as it was when it was there."""
    kept = {} if before is None else {key: each for key, each in before.inputs.items() if key in found}
    return kept | {k: InputFacts(digest=f.digest, size=f.size) for k, f in found.items() if f is not None}


def require_same_inputs(
    folder: RunFolder,
    preset: Preset,
    now: Mapping[str, Fingerprint | None],
    before: Facts | None,
    asked_for: Collection[str],
) -> None:
    """Every file holds what it held when the run was begun, wherever it is now; before any checkpoint, it is there.

    What only the first frame needed may be gone; another soundtrack is fine when it is asked for, by its key. Raises
    RunError that names those that are not.
    """
    wrong: dict[str, str] = {}
    for key, each in preset.inputs().items():
        here, then = now[key], None if before is None else before.inputs.get(key)
        moved = before is not None and _value_at(before.preset, each.place) != each.text
        if here is None:
            if before is None or moved or not each.first_only:
                wrong[key] = f"{each.path} is gone, or can't be read"
        elif key == "audio" and (moved or key in asked_for):
            continue
        elif before is not None and (then is None or then.digest != here.digest):
            wrong[key] = f"{each.path} does not hold what it held when the run was begun"
    if wrong:
        raise RunError(_message(folder, preset, wrong))


def _message(folder: RunFolder, preset: Preset, wrong: Mapping[str, str]) -> str:
    source = f"{preset.stage_key(0)}.path"
    options = ["--input PATH" if key == source else f"--set {shell_word(key + '=PATH')}" for key in wrong]
    listed = "\n  ".join(f"{key}: {said}" for key, said in wrong.items())
    return (
        f"the run in {folder.path} needs the files it was begun with:\n  {listed}\n"
        f"bring them back, or say where they are now: {folder.resume_command} {' '.join(options)}\n"
        "with other files it is another film: render it into another folder, with --out"
    )


def masked(preset: Mapping[str, Any], places: Iterable[Place]) -> dict[str, Any]:
    """Plain data of a preset without the paths at these places: where a file lies proves nothing."""
    data = copy.deepcopy(dict(preset))
    for *above, last in places:
        inner = _value_at(data, tuple(above))
        if _value_at(data, (*above, last)) is not None:
            inner[last] = "(a file)"
    return data


def _value_at(data: Any, place: Place) -> Any:
    try:
        for part in place:
            data = data[part]
    except (KeyError, IndexError, TypeError):
        return None
    return data
