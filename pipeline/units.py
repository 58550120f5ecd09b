"""What presets say in words: sizes, frame rates and points, as types pydantic can validate.

Every parser raises ValueError with a message that says what is allowed.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from pipeline.frame import Size

MIN_SIDE, MAX_SIDE = 16, 16384
MAX_FPS = 1000
_SIZE = re.compile(r"(\d{1,5})\s*[xX]\s*(\d{1,5})")


def parse_size(value: object) -> Size:
    """`WIDTHxHEIGHT` in pixels, such as 1280x720."""
    if isinstance(value, Size):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be WIDTHxHEIGHT in pixels, such as 1280x720")
    size = Size(height=int(match[2]), width=int(match[1]))
    if min(size) < MIN_SIDE or max(size) > MAX_SIDE:
        raise ValueError(f"each side must be {MIN_SIDE} to {MAX_SIDE} pixels")
    return size


def parse_fps(value: object) -> Fraction:
    """Frames per second, exactly: 24, 23.976 or 30000/1001."""
    help_text = "must be a number of frames per second, such as 24, 12.5 or 30000/1001"
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        raise ValueError(help_text)
    text = str(value).strip()
    if not re.fullmatch(r"\d{1,9}/\d{1,9}|\d{1,9}(\.\d{1,9})?", text):
        raise ValueError(help_text)
    try:
        fps = Fraction(text)
    except ZeroDivisionError:
        raise ValueError("its denominator is 0") from None
    if not 0 < fps <= MAX_FPS:
        raise ValueError(f"must be more than 0 and at most {MAX_FPS}")
    if fps.numerator > 1_000_000 or fps.denominator > 1_000_000:
        raise ValueError("its fraction must have a numerator and denominator of at most 1000000")
    return fps


def _to_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _text_schema(pattern: str, example: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, "examples": [example]}


SizeField = Annotated[
    Size,
    BeforeValidator(parse_size),
    PlainSerializer(str),
    WithJsonSchema(_text_schema(r"^\d+x\d+$", "1280x720")),
]
FpsField = Annotated[
    Fraction,
    BeforeValidator(parse_fps),
    PlainSerializer(str),
    WithJsonSchema({"type": ["number", "string"], "examples": [24, "30000/1001"]}),
]
Pair = Annotated[tuple[float, float], BeforeValidator(_to_tuple)]
"""Two numbers written as a list, such as a point `[0.5, 0.5]`."""
