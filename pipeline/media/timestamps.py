"""The authority on time in a film: whatever its file says becomes pictures with exact, rising times.

A packet's own words are believed where they can be. Otherwise they are repaired here, once, for everything that asks:
how long a film is, its rate, which picture is shown when, where a mask or a resumed film goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pipeline.media.rate import about_rate, rate_of, stated_rate
from pipeline.media.timeline import UNSAID, Packets, Ticks, Timeline

MOST_TICKS = 1 << 52
"""a time further from 0 is none: no clock in use comes near, and what is computed of it must fit 64 bits"""

_FINE = 1024  # parts of a tick, for pictures that share one
# Pictures that are further apart than this, and than so many usual distances, are so because the clock leapt.
_LEAP_SECONDS, _LEAP_SECONDS_OF_STREAMS, _LEAP_USUAL = 3600, 10, 100
_GLITCH = 3  # packets, after which a clock that stepped back is where it was, or it has begun anew
_FEW = 20  # one in so many times of reading may step back: else they are not what they are called
_REORDERED = 17  # the same for times in the order of showing: no codec shuffles more pictures
# Closer than that, one was moved by as little as could be since it had the other's time: ffmpeg's copying does so.
_CLOSEST_SECONDS = Fraction(1, 1000)
_NO_DELAY_SECONDS, _BROWSERS_DELAY_SECONDS = Fraction(1, 100), Fraction(1, 10)


@dataclass(frozen=True)
class Header:
    """What a file says of itself before its packets: all of it hints."""

    clock: Fraction
    """seconds in a tick"""
    rates: tuple[Fraction | None, ...]
    """the best first"""
    end: Fraction | None
    """when it ends, in seconds on its clock"""
    jumps: bool
    """whether clocks jump in files of its kind, as in broadcasts"""
    animation: bool
    """whether its delays are meant as browsers take them (GIF, APNG)"""


def timeline(packets: Packets, header: Header) -> Timeline:
    """When the pictures of a file are shown, at which rate they come, and what had to be repaired for it.

    At least one packet must be for a picture.
    """
    notes: list[str] = []
    pts, dts = packets.pts[packets.shown], packets.dts[packets.shown]
    durations = packets.durations[packets.shown]
    if max(_variety(pts, header), _variety(dts, header)) < min(2, len(pts)):
        return _counted(packets, header)
    stamps = _continuous(*_complete(pts, dts, notes), header, notes)
    if header.animation:
        stamps = _with_browsers_delays(stamps, header.clock, notes)
    scale, stamps = _distinct(stamps, header, notes)
    unit = header.clock / scale
    seconds = np.sort(stamps).astype(np.float64) * float(unit)
    fps = _rate(seconds, int(durations[-1]) * header.clock, header)
    last = _last(int(durations[np.argmax(stamps)]) * header.clock, fps, header)
    said = replace(packets, durations=packets.durations * scale)
    found = Timeline(said, _at(packets.shown, stamps), unit, last, fps, ())
    notes += _about_end(found, header) if not notes else []
    notes += about_rate(seconds, fps)
    return replace(found, notes=tuple(notes))


def _counted(packets: Packets, header: Header) -> Timeline:
    """Pictures without times: one after the other."""
    fps = stated_rate(header.rates)
    times = _at(packets.shown, np.arange(packets.shown.sum(), dtype=np.int64))
    said = replace(packets, durations=np.zeros_like(packets.durations))
    notes = (
        []
        if (packets.pts == UNSAID).all()
        else [
            f"all its pictures have the same timestamp; they are shown one after the other, {float(fps):.5g} a second"
        ]
    )
    return Timeline(said, times, 1 / fps, 1 / fps, fps, tuple(notes))


def _variety(times: Ticks, header: Header) -> int:
    """How many times there are that pictures can have."""
    said = np.sort(times[times != UNSAID])
    return int(_apart(said, header).sum()) + 1 if len(said) else 0


def _apart(rising: Ticks, header: Header) -> NDArray[np.bool_]:
    """Of each time but the first, whether it is far enough from the one before to be another picture's."""
    return np.diff(rising) >= _CLOSEST_SECONDS / header.clock


def _at(shown: NDArray[np.bool_], stamps: Ticks) -> Ticks:
    times = np.full(len(shown), UNSAID)
    times[shown] = stamps
    return times


def _complete(pts: Ticks, dts: Ticks, notes: list[str]) -> tuple[Ticks, Ticks | None]:
    """A time for every picture, and times that rise in the order of reading, where the file has such."""
    missing = int((pts == UNSAID).sum())
    known = int((dts != UNSAID).sum())
    order = _filled(dts) if known >= max(2, len(dts) // 2) else None
    if order is not None and len(_steps_back(order)) > 2 + len(order) // _FEW:
        order = None  # a joined Matroska film's second half has its times of showing there
    if missing == 0:
        return pts, order
    have, are = ("has", "it is") if missing == 1 else ("have", "they are")
    notes.append(
        f"{missing} of its {len(pts)} pictures {have} no timestamp; {are} spaced evenly between the pictures around"
    )
    if order is not None and known >= len(pts) - missing:
        return order, order
    return _filled(pts if missing <= len(dts) - known else dts), order


def _filled(times: Ticks) -> Ticks:
    """The times that are said, and straight lines between them; beyond them it goes on at the usual pace."""
    known = np.flatnonzero(times != UNSAID)
    if len(known) == len(times):
        return times
    values = times[known]
    pace = int(np.median(np.diff(values) / np.diff(known))) if len(known) > 1 else 1
    places = np.arange(len(times))
    # Relative to the first: interp works in floats, which whole clocks outgrow.
    found: Ticks = np.rint(np.interp(places, known, (values - values[0]).astype(np.float64))).astype(np.int64)
    found += values[0]
    before, after = places < known[0], places > known[-1]
    # Times of showing come in another order than that of reading: what is missing lies beyond all of them.
    near = np.abs(values[:_REORDERED] - values[0]) <= _REORDERED * abs(pace)
    found[before] = values[:_REORDERED][near].min() + (places[before] - known[0]) * pace
    near = np.abs(values[-_REORDERED:] - values[-1]) <= _REORDERED * abs(pace)
    found[after] = values[-_REORDERED:][near].max() + (places[after] - known[-1]) * pace
    return found


def _continuous(stamps: Ticks, order: Ticks | None, header: Header, notes: list[str]) -> Ticks:
    """Times on one clock: stray ones are put between their neighbours, and a clock that begins anew goes on."""
    if order is None:
        breaks = _beginnings(stamps)
        mended = 0
    else:
        smooth, breaks, mended = _smoothed(order)
        stamps, order = stamps + (smooth - order), smooth
    breaks += _leaps(stamps if order is None else order, header)
    if mended:
        counted = "1 timestamp is" if mended == 1 else f"{mended} timestamps are"
        notes.append(f"{counted} out of order; the pictures are shown in order, between those around")
    if breaks:
        counted = f"{len(breaks)} times" if len(breaks) > 1 else "in the middle"
        notes.append(f"its timestamps start over {counted}; the parts are shown one after the other")
    return _joined(stamps, sorted(breaks))


def _beginnings(stamps: Ticks) -> list[int]:
    """Where times of showing begin anew: earlier than all around before, and not soon back where they were."""
    breaks = [0]
    for n in _steps_back(stamps):
        before = stamps[max(breaks[-1], n - _REORDERED) : n]
        if stamps[n] <= before.min() and stamps[n : n + _REORDERED].max() < before.max():
            breaks.append(n)
    return breaks[1:]


def _leaps(clock: Ticks, header: Header) -> list[int]:
    ahead = np.diff(clock) * float(header.clock)
    if not (ahead > 0).any():
        return []
    usual = float(np.percentile(ahead[ahead > 0], 50, method="lower"))
    least = _LEAP_SECONDS_OF_STREAMS if header.jumps else _LEAP_SECONDS
    return [int(n) + 1 for n in np.flatnonzero(ahead > max(least, _LEAP_USUAL * usual))]


def _steps_back(times: Ticks) -> list[int]:
    return [int(n) + 1 for n in np.flatnonzero(np.diff(times) < 0)]


def _smoothed(order: Ticks) -> tuple[Ticks, list[int], int]:
    """`order` without single times that stray, where it begins anew, and how many strayed."""
    smooth, breaks, mended = order.copy(), [], 0
    for n in _steps_back(order):
        caught_up = np.flatnonzero(order[n : n + _GLITCH + 1] > smooth[n - 1])
        if len(caught_up) and smooth[n] < smooth[n - 1]:
            m = n + int(caught_up[0])
            smooth[n:m] = np.linspace(int(smooth[n - 1]), int(order[m]), m - n + 2)[1:-1].astype(np.int64)
            mended += m - n
        elif n >= 2 and smooth[n - 2] <= smooth[n] < smooth[n - 1]:
            smooth[n - 1] = (int(smooth[n - 2]) + int(smooth[n])) // 2
            mended += 1
        elif smooth[n] < smooth[n - 1]:
            breaks.append(n)
    return smooth, breaks, mended


def _joined(stamps: Ticks, breaks: list[int]) -> Ticks:
    """Each part behind the one before, a picture's usual length after its last picture."""
    if not breaks:
        return stamps
    parts = np.split(stamps, breaks)
    steps = np.concatenate([np.diff(np.sort(part)) for part in parts])
    usual = int(np.percentile(steps[steps > 0], 50, method="lower")) if (steps > 0).any() else 1
    moved = [parts[0]]
    for part in parts[1:]:
        moved.append(part + (int(moved[-1].max()) + usual - int(part.min())))
    return np.concatenate(moved)


def _with_browsers_delays(stamps: Ticks, clock: Fraction, notes: list[str]) -> Ticks:
    """Pictures that are shown for up to 10 ms are meant to be shown for 100, as browsers take it."""
    delays = np.diff(stamps)
    none = delays <= int(_NO_DELAY_SECONDS / clock)
    delays[none] = round(_BROWSERS_DELAY_SECONDS / clock)
    if none.any():
        have = "picture has" if none.sum() == 1 else "pictures have"
        notes.append(f"{none.sum()} {have} no delay, or one of 0.01s; each is shown for 0.1s, as browsers do")
    return np.concatenate([stamps[:1], stamps[0] + np.cumsum(delays)])


def _distinct(stamps: Ticks, header: Header, notes: list[str]) -> tuple[int, Ticks]:
    """Into how many parts ticks were split so that pictures which share one spread until the next, and the times."""
    order = np.argsort(stamps, kind="stable")
    begins = np.flatnonzero(np.append(True, _apart(stamps[order], header)))
    if len(begins) == len(stamps):
        return 1, stamps
    shared = len(stamps) - len(begins)
    have, are = ("picture has", "it is") if shared == 1 else ("pictures have", "they are")
    notes.append(f"{shared} {have} the same timestamp as another; {are} shown between that one and the next")
    counts = np.diff(np.append(begins, len(stamps)))
    values = stamps[order][begins]
    rooms = np.diff(values)
    usual = int(np.percentile(rooms // counts[:-1], 50, method="lower"))
    rooms = np.minimum(np.append(rooms, counts[-1] * usual), counts * usual) * _FINE // counts
    place = np.arange(len(stamps)) - np.repeat(begins, counts)
    spread = np.empty_like(stamps)
    spread[order] = np.repeat(values, counts) * _FINE + place * np.repeat(rooms, counts)
    return _FINE, spread


def _rate(seconds: NDArray[np.float64], only: Fraction, header: Header) -> Fraction:
    """The rate of the pictures; where there is only one, what the length it says would make."""
    if len(seconds) == 1 and only > 0:
        seconds = np.array([0.0, float(only)])
    return rate_of(seconds, header.rates, exact=header.animation)


def _last(said: Fraction, fps: Fraction, header: Header) -> Fraction:
    if header.animation and 0 < said <= _NO_DELAY_SECONDS:
        return _BROWSERS_DELAY_SECONDS
    return said if 1 / (2 * fps) < said <= _LEAP_SECONDS else 1 / fps


def _about_end(found: Timeline, header: Header) -> list[str]:
    if header.end is None:
        return []
    less = header.end - found.end
    if less * found.fps > 1:
        return [f"ends {float(less):.2f}s earlier than its header says; what is there is shown"]
    if -less * found.fps > 1:
        return [f"runs {float(-less):.2f}s longer than its header says; all of it is shown"]
    return []
