"""Checkpoints: the whole state of a run at one frame, verified on loading, never pickled.

Each is a pair: `NNNNNNNNN.safetensors` holds the tensors, `NNNNNNNNN.json` the rest, the digest of the tensors'
file and its own. The JSON is written last: a pair without it was never finished.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from pipeline.disk import PARTIAL, digest_of, replacing, write_whole

KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """`frame` frames are done. `tensors` are on the CPU; `facts` is plain JSON data."""

    frame: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Add a checkpoint to `folder` and drop all but the newest two. Raises OSError; what was there stays good."""
    tensors = _tensors_path(folder, checkpoint.frame)
    with replacing(tensors) as partial:
        safetensors.torch.save_file({k: v.contiguous() for k, v in checkpoint.tensors.items()}, partial)
    record = {"frame": checkpoint.frame, "tensors_digest": digest_of(tensors), "facts": checkpoint.facts}
    record["digest"] = digest_of(_canonical(record))
    write_whole(_record_path(folder, checkpoint.frame), json.dumps(record, indent=1).encode())
    for frame in frames_kept(folder)[:-KEPT]:
        _remove(folder, frame)


def frames_kept(folder: Path) -> list[int]:
    """The frame numbers of the finished checkpoints, oldest first, damaged ones included."""
    return sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit())


def load(folder: Path, frame: int) -> Checkpoint:
    """The checkpoint at `frame`. Raises ValueError saying what is damaged."""
    try:
        record = json.loads(_record_path(folder, frame).read_bytes())
        digest = record.pop("digest")
        if digest != digest_of(_canonical(record)) or record["frame"] != frame:
            raise ValueError("its record is damaged")
        if digest_of(_tensors_path(folder, frame)) != record["tensors_digest"]:
            raise ValueError("its tensors are damaged")
        # Cloned into aligned memory, as it was: a product of numbers stored elsewhere may have other last digits.
        # From bytes: torch maps no file whose name is not UTF-8.
        found = safetensors.torch.load(_tensors_path(folder, frame).read_bytes())
        tensors = {name: value.clone() for name, value in found.items()}
    except OSError as error:
        raise ValueError(f"it can't be read ({error.strerror})") from None
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError, SafetensorError):
        raise ValueError("its record is damaged") from None
    return Checkpoint(frame, tensors, record["facts"])


def load_newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, or None, and a line for each newer one that is not."""
    damaged: list[str] = []
    for frame in reversed(frames_kept(folder)):
        try:
            return load(folder, frame), damaged
        except ValueError as error:
            damaged.append(f"the checkpoint at frame {frame} can't be used: {error}")
    return None, damaged


def drop_after(folder: Path, frame: int) -> None:
    """Remove every checkpoint past `frame`, and what an interrupted save left."""
    for newer in frames_kept(folder):
        if newer > frame:
            _remove(folder, newer)
    kept = set(frames_kept(folder))
    for path in folder.iterdir():
        if PARTIAL in path.name or (
            path.suffix == ".safetensors" and path.stem.isdigit() and int(path.stem) not in kept
        ):
            path.unlink()


def _remove(folder: Path, frame: int) -> None:
    _record_path(folder, frame).unlink(missing_ok=True)
    _tensors_path(folder, frame).unlink(missing_ok=True)


def _tensors_path(folder: Path, frame: int) -> Path:
    return folder / f"{frame:09d}.safetensors"


def _record_path(folder: Path, frame: int) -> Path:
    return folder / f"{frame:09d}.json"


def _canonical(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True).encode()
