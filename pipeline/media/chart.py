"""Curves as a picture: panels above each other over one axis of seconds. Drawn by OpenCV at twice the size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.uint8]
Colour = tuple[int, int, int]

WIDTH, PANEL_HEIGHT = 1000, 170  # of the finished picture, in pixels
_SCALE = 2
LEFT, RIGHT, _TOP, _BOTTOM, _GAP = 70, 24, 44, 44, 30
_PAPER, _INK, _FAINT, _GRID, _BAND = (255, 255, 255), (40, 40, 46), (110, 112, 120), (226, 228, 232), (236, 244, 236)
_MARK = (205, 160, 60)
_LINES: tuple[Colour, ...] = ((208, 92, 36), (36, 110, 190), (150, 60, 160), (190, 40, 60), (30, 135, 90))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Panel:
    """One curve: `values` over `seconds`; `note` says what it is, `band` is a range to shade, `ticks` are times."""

    title: str
    note: str
    seconds: Sequence[float]
    values: Sequence[float]
    band: tuple[float, float] | None = None
    ticks: Sequence[float] = ()


def draw_chart(title: str, panels: Sequence[Panel], lines: Sequence[float] = ()) -> Canvas:
    """The panels as an (H, W, 3) RGB picture, with `lines` at these seconds. Each panel needs at least one value."""
    height = _TOP + len(panels) * (PANEL_HEIGHT + _GAP) - _GAP + _BOTTOM
    canvas = np.full((height * _SCALE, WIDTH * _SCALE, 3), _PAPER, np.uint8)
    _text(canvas, title, (LEFT, 24), 0.62, _INK)
    end = max(max(panel.seconds) for panel in panels)
    end = end if end > 0 else 1.0
    for index, panel in enumerate(panels):
        top = _TOP + index * (PANEL_HEIGHT + _GAP) + 16
        _Plot(canvas, top, PANEL_HEIGHT - 16, end, lines).draw(panel, _LINES[index % len(_LINES)])
    _text(canvas, "seconds of film", (WIDTH // 2 - 48, height - 8), 0.42, _FAINT)
    return np.asarray(cv2.resize(canvas, (WIDTH, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


class _Plot:
    """The frame of one panel, and where values lie in it."""

    def __init__(self, canvas: Canvas, top: int, height: int, end: float, lines: Sequence[float]) -> None:
        self._canvas, self._top, self._height, self._end, self._lines = canvas, top, height, end, lines

    def draw(self, panel: Panel, colour: Colour) -> None:
        low, high = value_range([*panel.values, *(panel.band or ())])
        self._span = low, high
        _text(self._canvas, panel.title, (LEFT, self._top - 7), 0.48, _INK)
        _text(self._canvas, panel.note, (LEFT + 12 + _width(panel.title, 0.48), self._top - 7), 0.38, _FAINT)
        if panel.band is not None:
            corners = (self._point(0, panel.band[0]), self._point(self._end, panel.band[1]))
            cv2.rectangle(self._canvas, *corners, _BAND, cv2.FILLED)
        self._grid()
        low, high = self._span
        for second in self._lines:
            cv2.line(self._canvas, self._point(second, low), self._point(second, high), _MARK, 3)
        for second in panel.ticks:
            if second <= self._end:
                cv2.line(self._canvas, self._point(second, low), self._point(second, low + (high - low) / 14), _INK, 2)
        points = np.array([self._point(x, y) for x, y in zip(panel.seconds, panel.values, strict=True)], np.int32)
        if len(points) == 1:
            cv2.circle(self._canvas, points[0].tolist(), 6, colour, cv2.FILLED, cv2.LINE_AA)
        cv2.polylines(self._canvas, [points], False, colour, 3, cv2.LINE_AA)

    def _grid(self) -> None:
        low, high = self._span
        step = nice_step((high - low) / 4)
        for number in range(math.ceil(low / step), math.floor(high / step) + 1):
            value = number * step
            cv2.line(self._canvas, self._point(0, value), self._point(self._end, value), _GRID, 2)
            text = tick(value, step)
            y = self._point(0, value)[1] // _SCALE + 4
            _text(self._canvas, text, (LEFT - 8 - _width(text, 0.38), y), 0.38, _FAINT)
        step = nice_step(self._end / 10)
        for number in range(math.floor(self._end / step + 1e-9) + 1):
            x = number * step
            cv2.line(self._canvas, self._point(x, low), self._point(x, high), _GRID, 2)
            text = tick(x, step)
            at = self._point(x, low)[0] // _SCALE - _width(text, 0.36) // 2
            _text(self._canvas, text, (at, self._top + self._height + 13), 0.36, _FAINT)

    def _point(self, x: float, y: float) -> tuple[int, int]:
        low, high = self._span
        across = LEFT + x / self._end * (WIDTH - LEFT - RIGHT)
        down = self._top + (1 - (y - low) / (high - low)) * self._height
        return round(across * _SCALE), round(down * _SCALE)


def value_range(values: Sequence[float]) -> tuple[float, float]:
    """A range to draw `values` in: with some air, and never so narrow that a steady figure looks wild."""
    low, high = min(values), max(values)
    air = max(0.08 * (high - low), 0.15 * max(abs(low), abs(high)) - (high - low) / 2, 0.002)
    return (max(0.0, low - air) if low >= 0 else low - air), high + air


def nice_step(least: float) -> float:
    """The smallest of ..., 0.1, 0.2, 0.5, 1, 2, 5, ... that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def tick(value: float, step: float) -> str:
    """`value` with as many digits as ticks `step` apart need."""
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _text(canvas: Canvas, text: str, at: tuple[int, int], size: float, colour: Colour) -> None:
    """Text with its lower left corner `at`, in pixels of the finished picture."""
    cv2.putText(canvas, text, (at[0] * _SCALE, at[1] * _SCALE), _FONT, size * _SCALE, colour, 2, cv2.LINE_AA)


def _width(text: str, size: float) -> int:
    return int(cv2.getTextSize(text, _FONT, size * _SCALE, 2)[0][0]) // _SCALE
