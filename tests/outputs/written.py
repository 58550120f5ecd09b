"""Outputs made of pictures that tests know, as a run makes them: two pieces through ffmpeg, and finished."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Size, narrowed
from pipeline.outputs import EncodeConfig, Master, Rendition, Spool, encode, finish

SIZE, FPS, PIECE = Size(64, 512), Fraction(24000, 1001), 8
COMMENT = "made for a test"


def ramps(count: int, size: Size = SIZE) -> NDArray[np.uint16]:
    """(count, H, W, 3): red rises to the right in 16 bits, green falls, and blue counts the frames."""
    across = np.linspace(0, 65535, size.width).round().astype(np.uint16)
    frames = np.empty((count, *size, 3), np.uint16)
    frames[..., 0], frames[..., 1] = across, across[::-1]
    frames[..., 2] = (np.arange(count) * 4000).astype(np.uint16)[:, None, None]
    return frames


def rendition(keys: Mapping[str, Any], size: Size = SIZE, fps: Fraction = FPS) -> Rendition:
    """An output of a film, by its keys."""
    return Rendition(EncodeConfig.model_validate({"id": "encode", **keys}), Master(size, fps))


def written(folder: Path, output: Rendition, frames: NDArray[np.uint16], *, deep: bool | None = None) -> Path:
    """The output of frames, kept in a spool that is as deep as it, or as `deep` says."""
    deep = output.is_deep if deep is None else deep
    pieces = []
    for first in range(0, len(frames), PIECE):
        part = frames[first : first + PIECE]
        spool = folder / f"{first}.raw"
        spool.write_bytes((part if deep else narrowed(part)).tobytes())
        piece = folder / f"{first}{output.segment_suffix}"
        encode(Spool(spool, deep, first, first + len(part)), piece, output)
        pieces.append(piece)
    target = folder / output.file_name("film")
    finish(pieces, target, output, COMMENT)
    return target
