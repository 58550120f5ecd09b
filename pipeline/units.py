"""What presets say in words: sizes, frame rates and durations, as types pydantic can validate.

Every parser raises ValueError with a message that says what is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from pipeline.frame import Size

MIN_SIDE, MAX_SIDE = 16, 16384
MAX_FPS = 1000
_SIZE = re.compile(r"(\d{1,5})\s*[xX]\s*(\d{1,5})")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_CLOCK = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,30})?)s)?")


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


@dataclass(frozen=True)
class Duration:
    """A length of film: exact seconds, a count of frames, or neither for one without end."""

    text: str
    seconds: Fraction | None = None
    frames: int | None = None

    def to_frames(self, fps: Fraction) -> int | None:
        """The number of frames this lasts at `fps`, to the nearest, at least 1; None for an endless film."""
        if self.seconds is not None:
            return max(1, round(self.seconds * fps))
        return self.frames

    def span(self, fps: Fraction) -> int:
        """The number of frames of a duration that ends."""
        frames = self.to_frames(fps)
        assert frames is not None
        return frames

    def to_seconds(self, fps: Fraction) -> Fraction | None:
        """How long this lasts at `fps`, in seconds; None for ever."""
        return self.seconds if self.frames is None else self.frames / fps

    def __str__(self) -> str:
        return self.text


def parse_duration(value: object) -> Duration:
    """`20s`, `1m30s`, `1h`, `2.5s`, `600f` for frames, or `endless`."""
    if isinstance(value, Duration):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"needs a unit: {value}s for seconds, or {value}f for frames")
    if text == "endless":
        return Duration(text)
    if re.fullmatch(r"\d{1,9}f", text):
        frames = int(text[:-1])
        if frames == 0:
            raise ValueError("must be longer than nothing")
        return Duration(text, frames=frames)
    match = _CLOCK.fullmatch(text)
    if match is None or not text:
        raise ValueError("must be a length such as 20s, 1m30s, 1h or 600f (frames), or endless")
    hours, minutes, seconds = (Fraction(part) if part else Fraction(0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not 0 < total <= 100 * 3600:
        raise ValueError("must be longer than nothing and at most 100 hours")
    return Duration(text, seconds=total)


def parse_span(value: object) -> Duration:
    """A duration that ends."""
    duration = parse_duration(value)
    if str(duration) == "endless":
        raise ValueError("must end; give a length such as 2s or 48f (frames)")
    return duration


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
DurationField = Annotated[
    Duration,
    BeforeValidator(parse_duration),
    PlainSerializer(str),
    WithJsonSchema(_text_schema(r"^(\d+f|(\d+h)?(\d+m)?([\d.]+s)?|endless)$", "1m30s")),
]
SpanField = Annotated[
    Duration,
    BeforeValidator(parse_span),
    PlainSerializer(str),
    WithJsonSchema(_text_schema(r"^(\d+f|(\d+h)?(\d+m)?([\d.]+s)?)$", "2s")),
]
Pair = Annotated[tuple[float, float], BeforeValidator(_to_tuple)]
"""Two numbers written as a list, such as a point `[0.5, 0.5]`."""
