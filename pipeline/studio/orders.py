"""Renders that the page asks for: of a text, or of a run that goes on otherwise from one of its frames on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.disk import write_whole
from pipeline.errors import PipelineError, PresetError
from pipeline.preset import Preset, parse_preset
from pipeline.preset.changes import differences
from pipeline.preset.editing import edit
from pipeline.studio.answers import Refused
from pipeline.studio.library import Library
from pipeline.studio.runs import Runs
from pipeline.times import first_frame, parse_instant

_WHOLE = ("size", "margin", "projection", "fps", "seed", "lead_in", "listen")


class Orders:
    """Begins runs and branches; each is a folder at once, and a process of its own."""

    def __init__(self, library: Library, runs: Runs) -> None:
        self._library, self._runs = library, runs

    def render(self, text: str, base: Path, name: str) -> str:
        """A run of a text, whose relative paths begin in `base`; returns its id. Raises Refused."""
        run = self._library.free_run(name)
        given = self._give(run, text)
        arguments = ["render", str(run / given), "--out", str(run), "--relative-to", str(base)]
        return self._start(run, arguments, given, base)

    def branch(self, path: Path, at: str | int, keys: Mapping[str, Any], name: str | None) -> str:
        """A branch of a run from an instant or a frame on, with other values for some keys; returns its id.

        Raises Refused.
        """
        preset, frame = self._runs.preset(path), self.frame(path, at)
        if preset.scenes:
            said = "the studio makes no branches of films of scenes; `dreamreel branch RUN --at 12s --set ...` does"
            raise Refused(409, said)
        instant = f"{at}f" if isinstance(at, int) else at
        run = self._library.free_run(name or f"{path.name}-at-{float(frame / preset.fps):g}s")
        text = self._branched(path, instant, frame, preset, keys)
        settings = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in keys.items()]
        arguments = ["branch", str(path), "--at", instant, "--out", str(run)]
        arguments += [word for setting in settings for word in ("--set", setting)]
        return self._start(run, arguments, None if text is None else self._give(run, text), self._runs.base(path))

    def _give(self, run: Path, text: str) -> str:
        name = "given.yaml" if run.name == "preset" else f"{run.name}.yaml"
        write_whole(run / name, text.encode())
        return name

    def _start(self, run: Path, arguments: list[str], given: str | None, base: Path) -> str:
        mark = {"base": str(base)} | ({} if given is None else {"given": given})
        self._runs.renderers.start(run, arguments, **mark)
        id_ = self._library.run_id(run)
        assert id_ is not None
        return id_

    def frame(self, path: Path, at: str | int) -> int:
        """The first frame of a run that is not before an instant. Raises Refused where it is not there yet."""
        preset = self._runs.preset(path)
        try:
            frame = at if isinstance(at, int) else first_frame(parse_instant(at, preset.signals), preset.fps)
        except ValueError as error:
            raise Refused(422, f"{at}: {error}") from None
        there = self._runs.tail(path).look().frames
        if not 0 <= frame <= there:
            raise Refused(409, f"{path.name} has {there} frames so far, and no frame {frame} yet")
        return frame

    def _branched(self, path: Path, instant: str, frame: int, preset: Preset, keys: Mapping[str, Any]) -> str | None:
        """The text of the run with one change more, as the branch shows it; None where there is no simple one."""
        with contextlib.suppress(Refused, PipelineError):
            text = self._runs.text(path)
            written = parse_preset(text, folder=self._runs.base(path), checked=False)
            changes = [change.model_dump(mode="json") for change in written.changes]
            place = sum(change.frame(preset.fps) <= frame for change in written.changes)
            changes.insert(place, {"at": instant, "set": dict(keys)})
            return edit(text, "changes", changes)[0] if keys else text
        return None

    def changes(self, path: Path, frame: int, text: str, base: Path) -> dict[str, Any]:
        """What makes the preset of a run, from a frame on, that of a text. Raises Refused for what no branch can be."""
        before = self._runs.preset(path).at(frame)
        try:
            after = parse_preset(text, folder=base).at(frame)
        except PresetError as error:
            raise Refused(422, error.problems[0].message) from None
        old, new = before.resolved(), after.resolved()
        other = [key for key in _WHOLE if old.get(key) != new.get(key)]
        if other:
            said = f"a branch keeps the {' and the '.join(other)} of its run; put that back, or render a run of its own"
            raise Refused(409, said)
        names = [before.stage_key(index) for index in range(len(before.stages))]
        # What says `auto` the run took for itself, and the text leaves to it.
        return {key: value for key, value in differences(old, new, names).items() if value != "auto"}
