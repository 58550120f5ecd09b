"""What a preset says of the song that its curves follow."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from pipeline.listen.tempo import FASTEST, SLOWEST
from pipeline.media.paths import MediaPath, NamesFile, absolute, from_here
from pipeline.times import Time, parse_time

SOURCE = "source"
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)")
_BPM = f"must be auto, a tempo such as 120, or a range such as 60-100, from {SLOWEST:g} to {FASTEST:g} beats a minute"


def _parse_bpm(value: object) -> str:
    text = "" if isinstance(value, bool) else str(value).strip()
    if text == "auto":
        return text
    match = _RANGE.fullmatch(text)
    try:
        low, high = (float(match[1]), float(match[2])) if match else (float(text), float(text))
    except ValueError:
        raise ValueError(_BPM) from None
    if not SLOWEST <= low <= high <= FASTEST:
        raise ValueError(_BPM)
    return text


def _parse_instant(value: object) -> Time:
    if isinstance(value, Time):
        return value
    time = parse_time(value)
    if time.seconds is None:
        raise ValueError(f"is {time}: of a song, times are seconds, such as 0.37s, not frames or beats")
    return time


def _absolute(text: str, info: ValidationInfo) -> str:
    return text if text == SOURCE else absolute(text, info)


BpmField = Annotated[str, BeforeValidator(_parse_bpm), WithJsonSchema({"type": ["string", "number"]})]
InstantField = Annotated[
    Time,
    BeforeValidator(_parse_instant),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["1m2s"]}),
]
SongPath = Annotated[
    str,
    BeforeValidator(lambda value: from_here(value, (SOURCE,))),
    Field(min_length=1, max_length=4096),
    AfterValidator(_absolute),
    NamesFile(frozenset({SOURCE})),
]


class ListenConfig(BaseModel):
    """The song that curves follow: `listen: song.flac` is short for `listen: {path: song.flac}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    path: SongPath = Field(description="a file with sound, a film too; or source: the footage's own sound")
    stems: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], MediaPath] = Field(
        {}, max_length=16, description="parts of the song in files of their own: {drums: drums.wav} gives drums.loud"
    )
    bpm: BpmField = Field("auto", description="the tempo, where it is known: 120; a range: 60-100; or auto")
    first_beat: InstantField | None = Field(
        None, description="when the first beat of the first bar is, from where the film begins; found if left out"
    )
    meter: int = Field(4, ge=1, le=16, description="beats in a bar")
    start: InstantField = Field(parse_time("0s"), description="where in the song the film begins")
    end: InstantField | None = Field(None, description="where in the song the film ends, if its `duration` is left out")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end is not None and self.end.seconds is not None and self.end.seconds <= self.begins:
            raise ValueError(f"ends at {self.end}, which is not after its start at {self.start}; move one of them")
        if self.path == SOURCE and (self.begins or self.end is not None):
            raise ValueError("is source, which begins and ends where the footage does: leave out `start` and `end`")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The tempi in question, in beats a minute; both the same for a known one."""
        if self.bpm == "auto":
            return SLOWEST, FASTEST
        low, _, high = self.bpm.partition("-")
        return float(low), float(high) if high else float(low)

    @property
    def begins(self) -> Fraction:
        """Where in the song the film begins, in seconds."""
        return self.start.seconds if self.start.seconds is not None else Fraction(0)


def parse_listen(value: Any) -> Any:
    """`song.flac` as `{path: song.flac}`; anything else as it is."""
    return {"path": value} if isinstance(value, str) else value


ListenField = Annotated[ListenConfig, BeforeValidator(parse_listen)]
