"""The curves below a film: what was measured of its frames, its moving numbers, and its song."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.ops.measure import Look
from pipeline.preset import Preset
from pipeline.preset.plot import panels
from pipeline.run.log import record_of
from pipeline.run.plot import NOTES
from pipeline.signals import LEVELS

_MOST_POINTS = 2000
Rows = np.ndarray[Any, np.dtype[np.float32]]
_BLOCK = 1 << 20


class Figures:
    """What a run's log says of its frames; each byte is read once."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self._torn = b""
        self._rows = np.full((0, len(Look._fields)), np.nan, np.float32)
        self._frames = 0
        self._lock = threading.Lock()

    def look(self) -> Rows:
        """(N, 5): a row for each frame so far, as `Look` has them; what is not known is no number."""
        with self._lock:
            try:
                if self._log.stat().st_size < self._read:  # the run was begun anew
                    self._read, self._frames, self._torn = 0, 0, b""
                with self._log.open("rb") as file:
                    file.seek(self._read)
                    while block := file.read(_BLOCK):
                        self._read += len(block)
                        *lines, self._torn = (self._torn + block).split(b"\n")
                        for line in lines:
                            self._take(line)
            except OSError:
                pass
            return self._rows[: self._frames]

    def _take(self, line: bytes) -> None:
        record = record_of(line)
        if record is None or type(record.get("frame")) is not int or "event" in record:
            return
        frame = record["frame"]
        if not 0 <= frame <= 2 * len(self._rows) + 1000:
            return
        if frame >= len(self._rows):
            more = np.full((2 * len(self._rows) + 1001, len(Look._fields)), np.nan, np.float32)
            more[: len(self._rows)] = self._rows
            self._rows = more
        values = [record.get(name) for name in Look._fields]
        self._rows[frame] = [value if isinstance(value, int | float) else np.nan for value in values]
        self._frames = max(self._frames, frame + 1)


def figures(preset: Preset, logs: Mapping[int, Figures]) -> dict[str, Any]:
    """All curves at the same frames: the film's, at most some thousand of them; None where nothing is known.

    `logs` are the run's, or those of a film's shots, by the frame of the film that each begins with.
    """
    rows = _joined({first: log.look() for first, log in logs.items()})
    total = preset.duration.to_frames(preset.fps)
    count = max(1, len(rows) if total is None else total)
    frames = np.unique(np.linspace(0, count - 1, min(_MOST_POINTS, count)).round().astype(np.int64))
    series: dict[str, list[float | None]] = {}
    labels: dict[str, str] = {}
    for column, name in enumerate(Look._fields):
        there = np.full(len(frames), np.nan)
        there[frames < len(rows)] = rows[frames[frames < len(rows)], column]
        series[name], labels[name] = _plain(there), NOTES[name]
    beats: list[float] = []
    try:
        seconds = frames / float(preset.fps)
        for panel in panels(preset):
            series[panel.title] = _plain(np.interp(seconds, panel.seconds, panel.values))
            labels[panel.title] = panel.note
        if preset.signals is not None:
            for name in LEVELS:
                series[name], labels[name] = _plain(preset.signals.value(name, seconds)), f"of the song: {name}"
            beats = [round(float(second), 3) for second in preset.signals.beats]
    except PipelineError as error:  # a song that is gone: what was measured is still there
        labels["error"] = str(error)
    return {"fps": float(preset.fps), "frames": frames.tolist(), "series": series, "labels": labels, "beats": beats}


def _joined(rows: Mapping[int, Rows]) -> Rows:
    """(N, 5): each of them from its frame on; what is between them is no number."""
    joined = np.full((max((first + len(each) for first, each in rows.items()), default=0), len(Look._fields)), np.nan)
    for first, each in rows.items():
        joined[first : first + len(each)] = each
    return joined.astype(np.float32)


def _plain(values: np.ndarray[Any, Any]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 5) for value in values]
