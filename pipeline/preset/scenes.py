"""The scenes of a film, each made a preset of its own, and their places in the film."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from pipeline.errors import PresetError, Problem
from pipeline.preset.explain import shown
from pipeline.preset.model import Preset
from pipeline.preset.scene import SCENE_WIDE, Scene
from pipeline.preset.yaml12 import Document
from pipeline.times import Time, parse_duration, parse_span

SCENES = "scenes"
MAX_SCENES = 64
Build = Callable[[Document], Preset]


def scene_wide(document: Document) -> list[Problem]:
    """What is wrong with the keys at the top of a film of scenes."""
    said = "belongs to a scene; move it into those that want it"
    return [document.problem((key,), said) for key in SCENE_WIDE if key in document.data]


def with_scenes(film: Preset, document: Document, build: Build) -> Preset:
    """The film with the scenes that its document lists, and as long as these.

    `build` makes a preset of another document. Raises PresetError with the problems of all scenes.
    """
    listed = document.data[SCENES]
    if not isinstance(listed, list) or not listed:
        raise PresetError([document.problem((SCENES,), f"is {shown(listed)}, must be a list of scenes")])
    if len(listed) > MAX_SCENES:
        said = f"has {len(listed)} scenes, may have at most {MAX_SCENES}"
        raise PresetError([document.problem((SCENES,), said)])
    problems: list[Problem] = []
    presets: list[Preset] = []
    fades: list[Time | None] = []
    for number in range(len(listed)):
        try:
            fades.append(_fade(document, number))
            presets.append(build(_part(film, document, number)))
        except PresetError as error:
            problems += [problem_of(each, number) for each in error.problems]
    problems += [] if problems else _wrong_lengths(document, presets, fades)
    if problems:
        raise PresetError(problems)
    scenes = tuple(_placed(presets, fades, film.fps))
    return film.model_copy(update={"scenes": scenes, "duration": _length(film, document, scenes)})


def problem_of(problem: Problem, number: int) -> Problem:
    """A problem of a scene's document as one of the film's."""
    return replace(problem, path=(SCENES, number, *problem.path))


def _fade(document: Document, number: int) -> Time | None:
    scene = document.data[SCENES][number]
    if not isinstance(scene, dict):
        said = f"is {shown(scene)}, must be a mapping such as `- extends: first-light`"
        raise PresetError([replace(document.problem((SCENES, number), said), path=())])
    if scene.get("fade") is None:
        return None
    said = "fades in over the scene before, and there is none; leave it out" if number == 0 else ""
    try:
        fade = None if said else parse_span(scene["fade"])
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


def _wrong_lengths(document: Document, presets: list[Preset], fades: list[Time | None]) -> Iterator[Problem]:
    for number, preset in enumerate(presets):
        seconds = preset.duration.to_seconds(preset.fps)
        if seconds is None:
            if number < len(presets) - 1:
                said = "is endless; only the last scene may be"
                yield document.problem((SCENES, number, "duration"), said)
            continue
        around = [_seconds(fade, preset.fps) for fade in (*fades[number : number + 2],)]
        if sum(around) > seconds:
            has = " and ".join(f"{float(each):g}s" for each in around if each)
            said = f"is {preset.duration}, which is shorter than its fades ({has}); make it longer, or them shorter"
            yield document.problem((SCENES, number, "duration"), said)


def _seconds(time: Time | None, fps: Fraction) -> Fraction:
    seconds = None if time is None else time.to_seconds(fps)
    return Fraction(0) if seconds is None else seconds


def _placed(presets: list[Preset], fades: list[Time | None], fps: Fraction) -> Iterator[Scene]:
    """Each scene begins at the frame that is nearest to its moment, so that roundings do not add up."""
    end: int | None = 0
    exact = Fraction(0)
    for preset, fade in zip(presets, fades, strict=True):
        assert end is not None
        exact -= _seconds(fade, fps)
        start = min(round(exact * fps), end)
        overlap, frames = end - start, preset.duration.to_frames(fps)
        end = None if frames is None else start + frames
        exact += _seconds(preset.duration, fps)
        yield Scene(preset, fade, start, end, overlap)


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
