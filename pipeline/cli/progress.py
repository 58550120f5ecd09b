"""What a render looks like while it runs: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from types import TracebackType

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from pipeline.cli.console import Talk
from pipeline.loop import Frame
from pipeline.preset import Preset
from pipeline.run import Result
from pipeline.stages import RunSpec

_PLAIN_SECONDS = 10.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} fps" if speed else "- fps", style="progress.data.speed")


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:g}{'' if task.total is None else f'/{task.total:g}'} frames")


class RenderProgress:
    """Shows a render's frames, rate, remaining time and time by stage."""

    def __init__(self, preset: Preset) -> None:
        self._console = Talk()
        self._name = preset.name
        self._frames = preset.duration.to_frames(preset.fps)
        self._times: dict[str, float] = {}
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            _Count(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[stages]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(preset.name, total=self._frames, stages="")
        self._start = self._said = time.perf_counter()
        self._first = 0
        length = f"{self._frames} frames" if self._frames is not None else "endless"
        self.say(f"{preset.name}: {length}, {preset.size}, {preset.fps} fps, seed {preset.seed}")

    def say(self, text: str) -> None:
        """Print a line above the bar, if anybody listens."""
        self._bar.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def on_frame(self, frame: Frame, spec: RunSpec) -> None:
        """Take note of a finished frame."""
        if not self._times:
            self._first, self._start = frame.index, time.perf_counter() - sum(frame.times.values())
        for stage, seconds in frame.times.items():
            self._times[stage] = self._times.get(stage, 0.0) + seconds
        done = frame.index + 1
        self._bar.update(self._task, completed=done, stages=shares(self._times))
        now = time.perf_counter()
        if not self._console.is_terminal and now - self._said >= _PLAIN_SECONDS:
            self._said = now
            self.say(self._plain_line(done, (done - self._first) / (now - self._start)))

    def _plain_line(self, done: int, rate: float) -> str:
        if self._frames is None:
            return f"{done} frames, {rate:.1f} fps, {shares(self._times)}"
        left = clock((self._frames - done) / rate)
        return f"{done}/{self._frames} frames, {rate:.1f} fps, {left} left, {shares(self._times)}"

    def summary(self, result: Result) -> None:
        """The last words of a render."""
        if result.path.exists():
            self._console.print(shown(result.path), style="bold", highlight=False, soft_wrap=True)
            self.say(f"{result.frames} frames, {result.path.stat().st_size / 1e6:.1f} MB")
        if result.rendered:
            rate = result.rendered / result.seconds
            self.say(f"{result.rendered} frames in {clock(result.seconds)} ({rate:.1f} fps): {shares(result.times)}")
        for note in result.notes:
            self.say(f"note: {note}")
        if not result.finished:
            folder = shlex.quote(str(result.folder))
            self.say(f"stopped after {result.frames} frames; go on with: dreamreel resume {folder}")

    def __enter__(self) -> RenderProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def shown(path: Path) -> str:
    """A path as the user would write it: relative where it lies below the current folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def shares(times: dict[str, float]) -> str:
    """`dream 82 %, zoom 9 %`: where the time went, most first."""
    total = sum(times.values())
    ranked = sorted(times.items(), key=lambda item: -item[1])
    return ", ".join(f"{stage} {100 * seconds / total:.0f} %" for stage, seconds in ranked if seconds >= total / 200)


def clock(seconds: float) -> str:
    """`1:02:03`, `2:03`, `3.4 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
