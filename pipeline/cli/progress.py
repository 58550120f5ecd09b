"""What a render looks like while it runs: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from pathlib import Path

from rich.progress import BarColumn

from pipeline.cli.pace import Pace, first_frame_weight
from pipeline.cli.watch import Watch, Words, before_the_first, clock, megabytes
from pipeline.engines.ascent import ACTIVITY
from pipeline.errors import shell_word
from pipeline.frame import Frame
from pipeline.preset import Preset
from pipeline.run import Result
from pipeline.run.estimate import peak_memory
from pipeline.run.pieces import Pieces
from pipeline.run.shot_workers import RENDERING_SHOTS
from pipeline.stages import RunSpec

_TELLING_FRAMES, _SOON_SECONDS = 4, 10.0  # after so many, it is told what the rest takes, unless it is soon over
_LONG_SECONDS = 2.0  # of a frame, from which on it is told what is being done in it


class RenderProgress(Watch):
    """Shows a render's frames, rate, remaining time and time by stage; `resumed` where a run goes on."""

    def __init__(self, preset: Preset, *, resumed: bool = False) -> None:
        self._frames = preset.duration.to_frames(preset.fps)
        self._lead_in = 0 if preset.lead_in is None or resumed else preset.lead_in.span(preset.fps)
        self._pace = Pace(self._frames, self._lead_in, None if resumed else first_frame_weight(preset))
        self._times: dict[str, float] = {}
        self._count = -self._lead_in
        label = Words(lambda: preset.name, "bold")
        super().__init__(preset.name, label, BarColumn(), Words(self._counted), Words(self._rest, "dim"))
        length = f"{self._frames} frames" if self._frames is not None else "endless"
        self.say(f"{preset.name}: {length}, {preset.size}, {preset.fps} fps, seed {preset.seed}")
        self._told: set[str] = set()
        self._preset, self._seen = preset, 0

    def on_message(self, text: str) -> None:
        """Say what the run has to say."""
        self._told.add(text)
        self.say(text)

    def on_frame(self, frame: Frame, spec: RunSpec) -> None:
        """Take note of a finished frame."""
        for stage, seconds in frame.times.items():
            self._times[stage] = self._times.get(stage, 0.0) + seconds
        self._pace.frame(frame.index, sum(frame.times.values()), time.monotonic())
        self._count = frame.index + 1
        self._seen += 1
        if self._seen == _TELLING_FRAMES:
            self._tell_costs(spec)
        super().hear("", 0, None)

    def _tell_costs(self, spec: RunSpec) -> None:
        """What the rest takes, as far as the first frames tell; nothing where it is soon over."""
        left, pieces = self._pace.left(time.monotonic()), Pieces(Path(), self._preset)
        if left is not None and left < _SOON_SECONDS:
            return
        memory, rest = peak_memory(spec.device), None if self._frames is None else self._frames - self._count
        parts = [] if left is None else [f"about {clock(left)} to go"]
        parts += [] if memory is None else [f"{megabytes(memory)} of memory"]
        states, each = pieces.bytes_kept(rest), " a minute" if rest is None else ""
        kept = f", {megabytes(states)}{each} of it in states to branch from" if states else ""
        self.say(f"{', '.join(parts)}, at most {megabytes(pieces.bytes_needed(rest))} more of the disk{kept}", "dim")

    def on_lead_in(self, done: int, total: int) -> None:
        """Take note of a finished frame of the lead-in, which the film does not show."""
        now = time.monotonic()
        self._count, self._lead_in = done - total, total
        self._pace.frame(self._count - 1, now - self._started, now)
        super().hear("", 0, None)

    def hear(self, what: str, done: int, total: int | None) -> None:
        if what == ACTIVITY and total:
            self._pace.partly(done / total, time.monotonic())
        if what == RENDERING_SHOTS:
            self._count = done
        super().hear(what, done, total)

    def _advance(self) -> None:
        dreamt = self._share if self._doing == ACTIVITY and self._share is not None else 0.0
        total = None if self._frames is None else self._lead_in + self._frames
        self._bar.update(self._task, completed=max(0, self._lead_in + self._count) + dreamt, total=total)

    def _line(self) -> str:
        return ", ".join(part for part in (self._counted(), self._rest()) if part)

    def _counted(self) -> str:
        if self._count < 0:
            return before_the_first(-self._count)
        return f"{self._count} frames" if self._frames is None else f"{self._count}/{self._frames} frames"

    def _rest(self) -> str:
        each, left = self._pace.per_frame(), self._pace.left(time.monotonic())
        parts = [f"{1 / each:.1f} fps"] if each and self._times else []
        parts += [f"{clock(left)} left"] if left is not None and not self._is_over() else []
        if self._doing and (not self._times or each is None or each > _LONG_SECONDS or self._is_over()):
            return ", ".join([*parts, self._activity()])
        return ", ".join([*parts, shares(self._times)] if self._times else parts)

    def _is_over(self) -> bool:
        return self._count == self._frames

    def summary(self, result: Result) -> None:
        """The last words of a render."""
        if result.path.exists():
            self.say(shown_path(result.path), "bold")
            self.say(f"{result.frames} frames, {size_of(result.path) / 1e6:.1f} MB")
        for path in result.others:
            if path.exists():
                self.say(f"{shown_path(path)}, {size_of(path) / 1e6:.1f} MB")
        if result.rendered:
            rate = result.rendered / result.seconds
            self.say(f"{result.rendered} frames in {clock(result.seconds)} ({rate:.1f} fps): {shares(result.times)}")
        for note in result.notes:
            if f"note: {note}" not in self._told:
                self.say(f"note: {note}")
        if not result.finished:
            folder = shell_word(str(result.folder))
            self.say(f"stopped after {result.frames} frames; go on with: dreamreel resume {folder}")


def size_of(path: Path) -> int:
    """The bytes of a file, or of the files in a folder."""
    return sum(each.stat().st_size for each in (path.iterdir() if path.is_dir() else [path]))


def shown_path(path: Path) -> str:
    """A path as the user would write it: relative where it lies below the current folder."""
    try:
        here = Path.cwd()
    except OSError:  # deleted by now
        return str(path)
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def shares(times: dict[str, float]) -> str:
    """`dream 82 %, zoom 9 %`: where the time went, most first."""
    total = sum(times.values())
    ranked = sorted(times.items(), key=lambda item: -item[1])
    return ", ".join(f"{stage} {100 * seconds / total:.0f} %" for stage, seconds in ranked if seconds >= total / 200)
