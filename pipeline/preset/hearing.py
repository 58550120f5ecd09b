"""What a film, or a scene of one, hears of a song."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pipeline.listen import ListenConfig
from pipeline.signals import Signals
from pipeline.times import Time, Within, parse_duration


@dataclass(frozen=True)
class Hearing:
    """A film's song, as one of its scenes hears it."""

    listen: ListenConfig
    signals: Signals | None
    """what was heard of it; None where that is left until it is asked for"""
    within: Within
    last: bool
    """whether no scene comes behind this one"""


def rest_of_song(listen: ListenConfig, signals: Signals, begins: Fraction = Fraction(0)) -> Time | None:
    """How long the part of a song lasts that is listened to, from a second of that on; None where it is over by then.

    It is exact to a hundredth of a second.
    """
    seconds = Fraction(signals.seconds).limit_denominator(100)
    if listen.end is not None and listen.end.seconds is not None:
        seconds = min(seconds, listen.end.seconds - listen.begins)
    if begins >= seconds:
        return None
    text = f"{max(float(seconds - begins), 0.01):.2f}".rstrip("0").rstrip(".")
    return parse_duration(f"{text}s")
