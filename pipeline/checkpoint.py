"""Checkpoints: the whole state of a run at one frame, verified on loading, never pickled.

Each is a pair: `NNNNNNNNN.safetensors` holds the tensors, `NNNNNNNNN.json` the rest, the digest of the tensors'
file and its own. The JSON is written last: a pair without it was never finished. Within a lead-in, frames count up
to the first one from below 0.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from pipeline.disk import digest_of, make_folder, read_regular, remove, require_regular, share, sync, write_whole

KEPT = 2
_MOST_RECORD_BYTES = 1 << 26
_UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError)
_NAME = re.compile(r"(-?[0-9]{9,18})(\.part-[0-9]+)?\.(json|safetensors)")


@dataclass(frozen=True)
class Checkpoint:
    """`frame` frames are done, or as many of the lead-in are left. `tensors` are on the CPU; `facts` is JSON data."""

    frame: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Add a checkpoint to `folder` and drop all but the newest two. Raises OSError; what was there stays good."""
    tensors = _tensors_path(folder, checkpoint.frame)
    # As bytes: `save_file` tells of a full disk by an error of its own, and takes no name that is not UTF-8.
    write_whole(tensors, safetensors.torch.save({k: v.contiguous() for k, v in checkpoint.tensors.items()}))
    record = {
        "frame": checkpoint.frame,
        "tensors_digest": digest_of(tensors),
        "tensors_bytes": tensors.stat().st_size,
        "facts": checkpoint.facts,
    }
    _write_record(folder, record)
    for frame in frames_kept(folder)[:-KEPT]:
        remove(_record_path(folder, frame))
        remove(_tensors_path(folder, frame))


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    record["digest"] = digest_of(_canonical(record))
    write_whole(_record_path(folder, record["frame"]), json.dumps(record, indent=1).encode())


def keep(folder: Path, frame: int, other: Path, facts: dict[str, Any] | None = None) -> None:
    """Have a checkpoint in another folder as well, with other facts if given; its tensors are stored once.

    Raises OSError, and ValueError for a record that is damaged.
    """
    make_folder(other)
    share(_tensors_path(folder, frame), _tensors_path(other, frame))
    if facts is None:
        share(_record_path(folder, frame), _record_path(other, frame))
    else:
        record = _record(folder, frame)
        _write_record(other, {**record, "facts": facts})
    sync(other)


def bytes_kept(folder: Path) -> int:
    """What the checkpoints in a folder take on the disk."""
    return sum(path.stat().st_size for _, path in _ours(folder))


def frames_kept(folder: Path) -> list[int]:
    """The frame numbers of the finished checkpoints, oldest first, damaged ones included."""
    return sorted(int(name[1]) for name, _ in _ours(folder) if name[2] is None and name[3] == "json")


def load(folder: Path, frame: int) -> Checkpoint:
    """The checkpoint at `frame`. Raises ValueError saying what is damaged."""
    try:
        record = _record(folder, frame)
        path = _tensors_path(folder, frame)
        require_regular(path)
        if path.stat().st_size != record["tensors_bytes"] or digest_of(path) != record["tensors_digest"]:
            raise ValueError("its tensors are damaged")
        # Cloned into aligned memory, as it was: a product of numbers stored elsewhere may have other last digits.
        # From bytes: torch maps no file whose name is not UTF-8.
        found = safetensors.torch.load(path.read_bytes())
        tensors = {name: value.clone() for name, value in found.items()}
    except OSError as error:
        raise ValueError(f"it can't be read ({error.strerror})") from None
    except (KeyError, TypeError, AttributeError, RecursionError, SafetensorError, *_UNREADABLE):
        raise ValueError("its record is damaged") from None
    return Checkpoint(frame, tensors, record["facts"])


def _record(folder: Path, frame: int) -> dict[str, Any]:
    """What is written beside the tensors, without its own digest. Raises ValueError where that is another."""
    record: dict[str, Any] = json.loads(read_regular(_record_path(folder, frame), _MOST_RECORD_BYTES))
    digest = record.pop("digest")
    if digest != digest_of(_canonical(record)) or record["frame"] != frame or not isinstance(record["facts"], dict):
        raise ValueError("its record is damaged")
    return record


def drop_after(folder: Path, frame: int) -> None:
    """Remove every checkpoint past `frame`, and what an interrupted save left."""
    finished = set(frames_kept(folder))
    for name, path in _ours(folder):
        if name[2] is not None or int(name[1]) > frame or int(name[1]) not in finished:
            remove(path)


def drop_all(folder: Path) -> None:
    """Remove every checkpoint and what interrupted saves left."""
    for _, path in _ours(folder):
        remove(path)


def _ours(folder: Path) -> list[tuple[re.Match[str], Path]]:
    """The files whose names a run gives, and nobody else's."""
    found = ((_NAME.fullmatch(path.name), path) for path in (folder.iterdir() if folder.is_dir() else ()))
    return [(name, path) for name, path in found if name is not None]


def _tensors_path(folder: Path, frame: int) -> Path:
    return folder / f"{_stem(frame)}.safetensors"


def _record_path(folder: Path, frame: int) -> Path:
    return folder / f"{_stem(frame)}.json"


def _stem(frame: int) -> str:
    return f"{'-' if frame < 0 else ''}{abs(frame):09d}"


def _canonical(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True).encode()
