"""Time: instants and lengths as presets write them, the clock of a film, and the moments curves are asked about."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from pipeline.signals import Signals

Array = NDArray[np.float64]
LONGEST = 100 * 3600  # seconds, of a film
_CLOCK = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,30})?)s)?")
_FRAMES = re.compile(r"\d{1,9}f")
_BEATS = re.compile(r"(\d{1,7}(?:\.\d{1,9})?)b")
_BARELY = 1e-9  # seconds
_NO_SONG_BPM = 120  # what beats are counted by where no song is: whoever checks a preset refuses it


@dataclass(frozen=True)
class Clock:
    """What a curve may know about a film besides the moment it is asked about.

    Everything that is worked out for one film depends on this alone. What else curves are to follow is a field here, as
    the film's sound is: no curve's signature changes for it.
    """

    fps: Fraction
    frames: int | None
    """how many the film has; None: it has no end"""
    seed: int
    signals: Signals | None = None
    """what its sound says, if it listens to any"""
    since: int | None = None
    """of a scene that hears its film's song: the frame of that film which is its own first one"""

    def at_frames(self, frame: Array) -> Moments:
        """The moments of frames (N,), by their indices; those between two frames are fractions."""
        seconds = self._seconds(frame)
        return Moments(seconds, frame, self, self._seconds(frame + self.since) if self.since else seconds)

    def at_seconds(self, seconds: Array) -> Moments:
        """The moments at times (N,)."""
        heard = seconds + self.before_it if self.since else seconds
        return Moments(seconds, self._frames(seconds), self, heard)

    def at_heard(self, heard: Array) -> Moments:
        """The moments at times (N,) of the song. Before a scene begins, all but the song stands as at its beginning."""
        seconds = np.maximum(heard - self.before_it, 0.0) if self.since else heard
        return Moments(seconds, self._frames(seconds), self, heard)

    def _seconds(self, frame: Array) -> Array:
        return frame * self.fps.denominator / self.fps.numerator

    def _frames(self, seconds: Array) -> Array:
        return seconds * self.fps.numerator / self.fps.denominator

    @property
    def before_it(self) -> float:
        """How much of the song is heard before the first frame, by the scenes before, in seconds."""
        return 0.0 if self.since is None else float(self.since / self.fps)

    def at_frame(self, frame: float) -> Moments:
        """One moment, (1,)."""
        return self.at_frames(np.array([frame], np.float64))


@dataclass(frozen=True)
class Moments:
    """Moments of one film: `seconds` and `frame` are (N,), and N is 1 where a single frame is meant.

    `heard` (N,) are the seconds of its song, which are others in a scene that hears its film's.
    """

    seconds: Array
    frame: Array
    clock: Clock
    heard: Array


@dataclass(frozen=True)
class Within:
    """Where a scene stands in a film whose song it hears."""

    fps: Fraction
    start: int
    """the frame of the film that is its own first one"""
    begins: Fraction
    """the second that this frame is nearest to"""


@dataclass(frozen=True)
class Time:
    """An instant of a film, counted from its start, or a length: exact seconds, frames, or, of an instant, the beats
    of its song; none of them: without end."""

    text: str
    seconds: Fraction | None = None
    frames: int | None = None
    beats: Fraction | None = None

    def to_seconds(self, fps: Fraction) -> Fraction | None:
        """In seconds at `fps`; None for ever."""
        return self.seconds if self.frames is None else self.frames / fps

    def to_frames(self, fps: Fraction) -> int | None:
        """How many frames this lasts at `fps`, to the nearest, at least 1; None for ever."""
        return self.frames if self.seconds is None else max(1, round(self.seconds * fps))

    def span(self, fps: Fraction) -> int:
        """The number of frames of a length that ends."""
        frames = self.to_frames(fps)
        assert frames is not None
        return frames

    def at(self, clock: Clock) -> float:
        """Of an instant: seconds from the start, in a film with this clock."""
        if self.beats is not None:
            beat = float(self.beats)
            if clock.signals is None:
                return beat * 60 / _NO_SONG_BPM
            # A little early in a scene, whose frames are rounded otherwise: one that is on the beat is not before it.
            return clock.signals.time_of_beat(beat) - (clock.before_it + _BARELY if clock.since else 0.0)
        seconds = self.to_seconds(clock.fps)
        assert seconds is not None
        return float(seconds)

    def __str__(self) -> str:
        return self.text


def read_clock(text: str) -> Time | None:
    """`20s`, `1m30s`, `1h`, `2.5s`, or `600f` for frames; None for any other text. Zero is a time."""
    if _FRAMES.fullmatch(text):
        return Time(text, frames=int(text[:-1]))
    match = _CLOCK.fullmatch(text)
    if match is None or not text:
        return None
    hours, minutes, seconds = match.groups()
    whole, _, decimals = (seconds or "0").partition(".")
    exact = Fraction(int(whole + decimals), 10 ** len(decimals))
    return Time(text, exact + int(hours or 0) * 3600 + int(minutes or 0) * 60 if hours or minutes else exact)


def parse_time(value: object) -> Time:
    """An instant, such as a keyframe's. Raises ValueError."""
    text = str(value).strip()
    time = read_clock(text)
    if time is None and (match := _BEATS.fullmatch(text)):
        time = Time(text, beats=Fraction(match[1]))
    if time is None:
        raise ValueError(f"{text!r} is no time; times are such as 0s, 2.5s, 1m30s, 96f for a frame, or 16b for a beat")
    return time


def parse_duration(value: object, signals: Signals | None = None, within: Within | None = None) -> Time:
    """A length of film, up to one of its song's beats too, or `endless`; a scene's are counted from where it begins.

    Raises ValueError.
    """
    if isinstance(value, Time):
        return value
    if isinstance(value, str) and (match := _BEATS.fullmatch(value.strip())):
        begins = Fraction(0) if within is None else within.begins
        song = _song(value, signals)
        return _exact(_beats_on(song, begins, _some(match[1])) - float(begins))
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"needs a unit: {value}s for seconds, or {value}f for frames")
    text = value.strip() if isinstance(value, str) else ""
    time = Time(text) if text == "endless" else read_clock(text)
    if time is None:
        raise ValueError("must be a length such as 20s, 1m30s, 1h or 600f (frames), or endless")
    if time.frames == 0:
        raise ValueError("must be longer than nothing")
    if time.seconds is not None and not 0 < time.seconds <= LONGEST:
        raise ValueError(f"must be longer than nothing and at most {LONGEST // 3600} hours")
    return time


def _song(value: str, signals: Signals | None) -> Signals:
    if signals is None:
        raise ValueError(f"{value.strip()} counts beats, and the preset listens to none; name a song with `listen:`")
    if not signals.bpm:
        raise ValueError(f"{value.strip()} counts beats, and none were found in the song; say `bpm` in `listen`")
    return signals


def _beats_on(signals: Signals, begins: Fraction, beats: float) -> float:
    """The second that lies so many beats behind another, or before it; a film's beginning counts as beat 0.

    What begins on a beat, but for a rounding, ends on one.
    """
    number = round(float(signals.beat(np.array([float(begins)]))[0]), 2) if begins else 0.0
    return signals.time_of_beat(number + beats)


def _some(beats: str) -> float:
    """So many beats of a length. Raises ValueError for none."""
    if float(beats) == 0:
        raise ValueError("must be longer than nothing")
    return float(beats)


def _exact(seconds: float) -> Time:
    """A length to a thousandth of a second, written as it will be read again."""
    return parse_duration(f"{max(seconds, 0.001):.3f}".rstrip("0").rstrip(".") + "s")


def parse_span(value: object, signals: Signals | None = None, until: Fraction | None = None) -> Time:
    """A length that ends, in beats of the song too: in those before a second of it, if given. Raises ValueError."""
    if isinstance(value, str) and (match := _BEATS.fullmatch(value.strip())):
        song, beats = _song(value, signals), _some(match[1])
        return _exact(beats * 60 / song.bpm if until is None else float(until) - _beats_on(song, until, -beats))
    time = parse_duration(value)
    if time.to_frames(Fraction(1)) is None:
        raise ValueError("must end; give a length such as 2s or 48f (frames)")
    return time


def parse_instant(value: object, signals: Signals | None = None, within: Within | None = None) -> Time:
    """A moment of the film from its start, exact: one of the song's beats becomes its seconds.

    A scene's are counted from where it begins, but beats by the film. Raises ValueError.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"needs a unit: {value}s for seconds, or {value}f for frames")
    time = value if isinstance(value, Time) else parse_time(value)
    if time.beats is None:
        return time
    exact = _at(_song(str(value), signals).time_of_beat(float(time.beats)))
    if within is None:
        return exact
    frame = first_frame(exact, within.fps)
    if frame < within.start:
        at, begins = f"{round(float(exact.seconds or 0), 3):g}s", f"{float(within.begins):g}s"
        raise ValueError(
            f"is at {at} of the film, and the scene begins at {begins}; beats are counted from the film's first frame "
            "on, all other times from the scene's"
        )
    return instant_of(frame - within.start, within.fps)


def first_frame(instant: Time, fps: Fraction) -> int:
    """The first frame that is not before an instant in seconds or frames."""
    seconds = instant.to_seconds(fps)
    assert seconds is not None
    return math.ceil(seconds * fps)


def instant_of(frame: int, fps: Fraction) -> Time:
    """An instant in seconds whose `first_frame` is this one."""
    return _at(frame / fps)


def _at(seconds: float | Fraction) -> Time:
    """An instant, never later: to a millionth of a second, written as it will be read again."""
    text = f"{math.floor(seconds * 10**6) / 10**6:.6f}".rstrip("0").rstrip(".")
    return parse_time(f"{text}s")


def _schema(pattern: str, example: str) -> WithJsonSchema:
    schema: dict[str, Any] = {"type": "string", "pattern": pattern, "examples": [example]}
    return WithJsonSchema(schema)


def _heard(info: ValidationInfo) -> Signals | None:
    return (info.context or {}).get("signals")


def _within(info: ValidationInfo) -> Within | None:
    return (info.context or {}).get("within")


DurationField = Annotated[
    Time,
    BeforeValidator(lambda value, info: parse_duration(value, _heard(info), _within(info))),
    PlainSerializer(str),
    _schema(r"^(\d+f|[\d.]+b|(\d+h)?(\d+m)?([\d.]+s)?|endless)$", "1m30s"),
]
SpanField = Annotated[
    Time,
    BeforeValidator(lambda value, info: parse_span(value, _heard(info))),
    PlainSerializer(str),
    _schema(r"^(\d+f|[\d.]+b|(\d+h)?(\d+m)?([\d.]+s)?)$", "2s"),
]
InstantField = Annotated[
    Time,
    BeforeValidator(lambda value, info: parse_instant(value, _heard(info), _within(info))),
    PlainSerializer(str),
    _schema(r"^(\d+f|[\d.]+b|(\d+h)?(\d+m)?([\d.]+s)?)$", "12s"),
]


def _parse_pause(value: object, info: ValidationInfo) -> Time | None:
    return None if value is None or value == NEVER else parse_span(value, _heard(info))


NEVER = "none"
PauseField = Annotated[
    Time | None,
    BeforeValidator(_parse_pause),
    PlainSerializer(lambda time: NEVER if time is None else str(time)),
    _schema(r"^(none|\d+f|[\d.]+b|(\d+h)?(\d+m)?([\d.]+s)?)$", "10s"),
]
"""How much film lies between two of what happens again and again; None, written `none`: it never happens."""
