"""What was heard, in a file: for the next start, and in the run that follows it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.disk import digest_of, make_folder, read_regular, write_whole
from pipeline.signals import LEVELS, Part, Signals

_MOST_BYTES = 4_000_000_000
_FACTS = ("digest", "seconds", "bpm", "guesses", "steady", "meter")


def write_signals(signals: Signals, path: Path) -> None:
    """Write what was heard to `path`. Raises OSError."""
    make_folder(path.parent)
    write_whole(path, _packed(signals))


def read_signals(path: Path) -> Signals:
    """What `write_signals` wrote. Raises OSError, and ValueError for any other file."""
    raw = read_regular(path, _MOST_BYTES)
    try:
        arrays = load(raw)
        facts = json.loads(bytes(arrays.pop("facts")))
        parts = {name: _part(arrays, f"{name}/") for name in ("", *facts.pop("stems"))}
        facts["guesses"] = tuple(facts["guesses"])
        return Signals(beats=arrays["beats"], sections=arrays["sections"], song=parts.pop(""), stems=parts, **facts)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not what dreamreel heard of a song: {error}") from None


def content_digest(signals: Signals) -> str:
    """The digest of all that curves can follow."""
    return digest_of(_packed(dataclasses.replace(signals, digest="")))


def _packed(signals: Signals) -> bytes:
    facts: dict[str, Any] = {name: getattr(signals, name) for name in _FACTS} | {"stems": list(signals.stems)}
    arrays: dict[str, Any] = {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    arrays |= {"beats": signals.beats, "sections": signals.sections}
    for name, part in {"": signals.song, **signals.stems}.items():
        arrays |= {f"{name}/{level}": part.levels[level] for level in LEVELS}
        arrays |= {f"{name}/{key}": getattr(part, key) for key in ("bands", "edges", "chroma", "onsets")}
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _part(arrays: dict[str, Any], start: str) -> Part:
    levels = {level: arrays[start + level] for level in LEVELS}
    return Part(levels, *(arrays[start + key] for key in ("bands", "edges", "chroma", "onsets")))
