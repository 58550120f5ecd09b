"""The scenes of a film, each made a preset of its own, and their places in the film."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from pipeline.errors import PresetError, Problem
from pipeline.preset.explain import shown
from pipeline.preset.hearing import Hearing
from pipeline.preset.model import Preset
from pipeline.preset.scene import SCENE_WIDE, Scene
from pipeline.preset.yaml12 import Document
from pipeline.signals import Signals
from pipeline.times import Time, Within, parse_duration, parse_span

SCENES = "scenes"
MAX_SCENES = 64
Build = Callable[[Document, Hearing | None], Preset]


def scene_wide(document: Document) -> list[Problem]:
    """What is wrong with the keys at the top of a film of scenes."""
    said = "belongs to a scene; move it into those that want it"
    return [document.problem((key,), said) for key in SCENE_WIDE if key in document.data]


def with_scenes(film: Preset, document: Document, build: Build, signals: Signals | None) -> Preset:
    """The film with the scenes that its document lists, and as long as these.

    `build` makes a preset of another document, with what it hears of the film's song, of which `signals` were heard.
    Raises PresetError with the problems of all scenes.
    """
    listed = document.data[SCENES]
    if not isinstance(listed, list) or not listed:
        raise PresetError([document.problem((SCENES,), f"is {shown(listed)}, must be a list of scenes")])
    if len(listed) > MAX_SCENES:
        said = f"has {len(listed)} scenes, may have at most {MAX_SCENES}"
        raise PresetError([document.problem((SCENES,), said)])
    problems: list[Problem] = []
    row = _Row(film, signals)
    for number in range(len(listed)):
        if film.listen is not None and not row.known:
            break  # nobody can tell what the others hear before it is mended
        try:
            fade = _fade(document, number, row)
            hearing = row.hearing(fade, last=number == len(listed) - 1)
            row.add(build(_part(film, document, number), hearing), fade)
        except PresetError as error:
            problems += [problem_of(each, number) for each in error.problems]
            row.guess(listed[number])
    problems += [] if problems else _wrong_lengths(document, row.scenes)
    if problems:
        raise PresetError(problems)
    scenes = tuple(row.scenes)
    whole = film.model_copy(update={"scenes": scenes, "duration": _length(film, document, scenes)})
    if signals is not None:
        whole.hears(signals)
    return whole


def problem_of(problem: Problem, number: int) -> Problem:
    """A problem of a scene's document as one of the film's."""
    return replace(problem, path=(SCENES, number, *problem.path))


class _Row:
    """The scenes so far, and where in the film the next one begins."""

    def __init__(self, film: Preset, signals: Signals | None) -> None:
        self._film, self.signals = film, signals
        self.scenes: list[Scene] = []
        self._end: int | None = 0
        self.until = Fraction(0)
        """the second that the last one ends with; each begins at the frame that is nearest to its moment, so that
        roundings do not add up"""

    @property
    def known(self) -> bool:
        """Whether it is known where the next one begins."""
        return self._end is not None

    def hearing(self, fade: Time | None, last: bool) -> Hearing | None:
        """What a scene that is faded in so hears of the film's song."""
        if self._film.listen is None:
            return None
        start, begins = self._begins(fade)
        return Hearing(self._film.listen, self.signals, Within(self._film.fps, start, begins), last)

    def _begins(self, fade: Time | None) -> tuple[int, Fraction]:
        fps, end = self._film.fps, 0 if self._end is None else self._end
        begins = max(Fraction(0), self.until - _seconds(fade, fps))
        return min(round(begins * fps), end), begins

    def add(self, preset: Preset, fade: Time | None) -> None:
        """Put a scene behind those that are there."""
        start, begins = self._begins(fade)
        overlap, frames = (self._end or 0) - start, preset.duration.to_frames(preset.fps)
        self.scenes.append(Scene(preset, fade, start, None if frames is None else start + frames, overlap))
        self._end = None if frames is None else start + frames
        self.until = begins + _seconds(preset.duration, preset.fps)

    def guess(self, scene: object) -> None:
        """Leave room for a scene that can't be read, if it says how much: what the others hear depends on it."""
        self._end, end = None, self._end
        if isinstance(scene, dict) and end is not None:
            with contextlib.suppress(ValueError):
                fade = None if scene.get("fade") is None else parse_span(scene["fade"], self.signals, self.until)
                begins = max(Fraction(0), self.until - _seconds(fade, self._film.fps))
                within = Within(self._film.fps, end, begins)
                duration = parse_duration(scene.get("duration"), self.signals, within)
                self.until = begins + _seconds(duration, self._film.fps)
                self._end = round(self.until * self._film.fps)


def _fade(document: Document, number: int, row: _Row) -> Time | None:
    scene = document.data[SCENES][number]
    if not isinstance(scene, dict):
        said = f"is {shown(scene)}, must be a mapping such as `- extends: first-light`"
        raise PresetError([replace(document.problem((SCENES, number), said), path=())])
    if scene.get("fade") is None:
        return None
    said = "fades in over the scene before, and there is none; leave it out" if number == 0 else ""
    try:
        fade = None if said else parse_span(scene["fade"], row.signals, row.until)
    except ValueError as error:
        said = f"is {shown(scene['fade'])}: {error} (how long the scene is faded in over the one before)"
    if said:
        raise PresetError([replace(document.problem((SCENES, number, "fade"), said), path=("fade",))])
    return fade


def _part(film: Preset, document: Document, number: int) -> Document:
    """The document of one scene, with what belongs to the whole film."""
    part = document.part((SCENES, number))
    wide: dict[str, Any] = {key: str(getattr(film, key)) for key in ("name", "size", "fps", "projection", "device")}
    wide |= {"audio": "none", "keep": "none", "plugins": dict(film.plugins)}
    own = {key: copy.deepcopy(value) for key, value in part.data.items() if key != "fade"}
    part.data = {"seed": film.seed} | own | wide
    return part


def _wrong_lengths(document: Document, scenes: list[Scene]) -> Iterator[Problem]:
    for number, preset in enumerate(scene.preset for scene in scenes):
        seconds = preset.duration.to_seconds(preset.fps)
        if seconds is None:
            if number < len(document.data[SCENES]) - 1:
                said = "is endless; only the last scene may be"
                yield document.problem((SCENES, number, "duration"), said)
            continue
        around = [_seconds(scene.fade, preset.fps) for scene in scenes[number : number + 2]]
        if sum(around) > seconds:
            has = " and ".join(f"{float(each):g}s" for each in around if each)
            said = f"is {preset.duration}, which is shorter than its fades ({has}); make it longer, or them shorter"
            yield document.problem((SCENES, number, "duration"), said)


def _seconds(time: Time | None, fps: Fraction) -> Fraction:
    seconds = None if time is None else time.to_seconds(fps)
    return Fraction(0) if seconds is None else seconds


def _written(frames: int | None, fps: Fraction) -> Time:
    """So many frames as a length, in seconds where these come to just as many."""
    if frames is None:
        return parse_duration("endless")
    seconds = parse_duration(f"{max(float(frames / fps), 0.001):.3f}".rstrip("0").rstrip(".") + "s")
    return seconds if seconds.to_frames(fps) == frames else parse_duration(f"{frames}f")


def _length(film: Preset, document: Document, scenes: tuple[Scene, ...]) -> Time:
    """As long as all scenes, or what the film says, which may be less. Raises PresetError where it is more."""
    end = scenes[-1].end
    whole = _written(end, film.fps)
    if document.data.get("duration") is None:
        return whole
    wanted, rounding = film.duration.to_frames(film.fps), 1
    if end is not None and (wanted is None or wanted > end + rounding):
        said = f"is {film.duration}, and the scenes last {float(end / film.fps):g}s; leave it out, or make them longer"
        raise PresetError([document.problem(("duration",), said)])
    return whole if end is not None and wanted is not None and wanted >= end else film.duration
