"""An atlas as one PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.disk import write_whole
from pipeline.errors import MediaError

_MARGIN, _CAPTION = 6, 18
_PAPER, _INK = 24, 225
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4


def write_sheet(plates: Sequence[NDArray[np.uint8]], labels: Sequence[str], path: Path) -> None:
    """The plates (h, w, 3), all of one size, in rows with their labels below. Raises MediaError."""
    height, width, _ = plates[0].shape
    columns = max(1, math.ceil(math.sqrt(len(plates) * (height + _CAPTION) / width)))
    rows = math.ceil(len(plates) / columns)
    cell_height, cell_width = height + _CAPTION + _MARGIN, width + _MARGIN
    sheet = np.full((rows * cell_height + _MARGIN, columns * cell_width + _MARGIN, 3), _PAPER, np.uint8)
    for index, (plate, label) in enumerate(zip(plates, labels, strict=True)):
        top, left = _MARGIN + index // columns * cell_height, _MARGIN + index % columns * cell_width
        sheet[top : top + height, left : left + width] = plate
        _write(sheet[top + height : top + height + _CAPTION, left : left + width], label)
    done, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    assert done
    try:
        write_whole(path, data.tobytes())
    except OSError as error:
        raise MediaError(f"can't write the atlas {path}: {error.strerror}") from error


def _write(strip: NDArray[Any], label: str) -> None:
    """The label into a strip of the sheet, smaller where it is long."""
    (wide, _), _ = cv2.getTextSize(label, _FONT, _FONT_SCALE, 1)
    scale = _FONT_SCALE * min(1.0, strip.shape[1] / max(1, wide))
    caption = np.full(strip.shape, _PAPER, np.uint8)  # OpenCV draws into contiguous pictures only
    cv2.putText(caption, label, (0, _CAPTION - 5), _FONT, scale, (_INK,) * 3, 1, cv2.LINE_AA)
    strip[:] = caption
