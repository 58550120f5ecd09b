"""How each run stands, told from its files: whoever began it, and wherever it is rendered."""

from __future__ import annotations

import mimetypes
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.disk import read_regular, state_of
from pipeline.errors import PipelineError, shortened
from pipeline.media.sound import Soundtrack
from pipeline.preset import Preset
from pipeline.preset.yaml12 import MAX_BYTES
from pipeline.run.ancestry import Ancestry, read_ancestry
from pipeline.run.folder import RunFolder
from pipeline.run.standing import is_rendering
from pipeline.studio.answers import Refused
from pipeline.studio.library import Library
from pipeline.studio.log import Tail
from pipeline.studio.processes import Renderers, elsewhere, mark_of
from pipeline.studio.shots import Part, parts_of

_PLAYED = (".mp4", ".m4v", ".webm")


@dataclass
class _Known:
    """What was read of a run, and when its preset was as it was then."""

    folder: RunFolder
    tail: Tail
    state: tuple[int, ...] = ()
    preset: Preset | None = None
    ancestry: Ancestry | None = None


class Runs:
    """The runs of a library, as the page shows them."""

    def __init__(self, library: Library, renderers: Renderers) -> None:
        self._library, self.renderers = library, renderers
        self._known: dict[Path, _Known] = {}

    def all(self) -> list[dict[str, Any]]:
        """Every run."""
        runs = self._library.runs()
        self._known = {path: known for path, known in self._known.items() if path in runs.values()}
        return [self.about(id_, path) for id_, path in runs.items()]

    def tail(self, path: Path) -> Tail:
        """The end of the run's log."""
        return self._look(path).tail

    def preset(self, path: Path) -> Preset:
        """The resolved preset of a run. Raises Refused where it has none yet."""
        found = self._look(path).preset
        if found is None:
            raise Refused(409, f"{path.name} has not begun yet")
        return found

    def text(self, path: Path) -> str:
        """The preset as it was written, or as it was resolved where the run was begun elsewhere. Raises Refused."""
        given = mark_of(path).get("given", "preset.yaml")
        for name in (given, "preset.yaml"):
            try:
                return read_regular(path / Path(name).name, MAX_BYTES).decode()
            except (OSError, UnicodeDecodeError):
                continue
        raise Refused(409, f"{path.name} has no preset that can be read")

    def base(self, path: Path) -> Path:
        """Where relative paths of the run's text begin."""
        return Path(mark_of(path).get("base", path))

    def about(self, id_: str, path: Path) -> dict[str, Any]:
        """One run, as the page lists it."""
        known = self._look(path)
        preset, tail = known.preset, known.tail.look()
        state = self._state(path, tail, preset)
        total = None if preset is None else preset.duration.to_frames(preset.fps)
        frames = self.frames(path)
        speed = self._speed(path) if state == "rendering" else None
        name, group = self._library.called(path)
        return {
            "id": id_,
            "name": name,
            "group": group,
            "state": state,
            "host": elsewhere(tail.begun) if state == "rendering" else None,
            "frames": frames,
            "total": total,
            "fps": None if preset is None else float(preset.fps),
            "size": None if preset is None else [preset.size.width, preset.size.height],
            "speed": None if speed is None else round(speed, 2),
            "seconds_left": round((total - frames) / speed, 1) if speed and total is not None else None,
            "parent": self._parent(path, preset),
            "error": self._error(path, tail) if state == "failed" else None,
            "poster": f"/api/runs/{id_}/frames/{frames // 2}.jpg?width=320" if frames else None,
            "films": [
                {"name": film.name, "url": f"/api/runs/{id_}/films/{number}"}
                for number, film in self.films(path).items()
            ],
            "whole": preset is not None and (preset.cut_into_shots or bool(preset.scenes)),
        }

    def films(self, path: Path) -> dict[int, Path]:
        """The joined films that are there, by their places among the outputs; pictures in folders are left out."""
        known = self._look(path)
        made = () if known.preset is None else known.folder.outputs(known.preset)
        return {number: film for number, film in enumerate(made, 1) if self._library.is_own(film)}

    def heard(self, id_: str, path: Path) -> dict[str, Any] | None:
        """Where the page finds a run's sound, and from which second on: in a film that browsers play, else its song."""
        try:
            track = self.preset(path).soundtrack()
        except (PipelineError, Refused):
            return None
        playable = next((number for number, film in self.films(path).items() if film.suffix in _PLAYED), None)
        if track is None or playable is not None:
            return None if track is None else {"url": f"/api/runs/{id_}/films/{playable}", "since": 0.0}
        return {"url": f"/api/runs/{id_}/song", "since": float(track.since or 0)} if self._plays(track) else None

    def song(self, path: Path) -> Path | None:
        """The file that a run has its sound from; None where that can't be played. Raises Refused, PipelineError."""
        track = self.preset(path).soundtrack()
        return None if track is None or not self._plays(track) else track.path

    def _plays(self, track: Soundtrack) -> bool:
        """Whether a page may have it: a sound, at its own speed, that lies where files are opened."""
        kind = mimetypes.guess_type(track.path)[0] or ""
        return track.speed == 1 and kind.startswith(("audio/", "video/")) and self._library.holds(track.path)

    def parts(self, path: Path) -> list[Part]:
        """The runs that hold its frames, the first first. Raises Refused where it has none yet."""
        return parts_of(path, self.preset(path))

    def part(self, path: Path, frame: int | None = None) -> Part:
        """The run that holds a frame; without one, that which the newest frame comes from. Raises Refused."""
        parts = self.parts(path)
        if not parts:
            raise Refused(404, f"{self._library.called(path)[0]} has no frames yet")
        if frame is None:
            return next((part for part in parts if self._tail(part).frames != part.frames), parts[-1])
        return next((part for part in reversed(parts) if part.first <= frame), parts[0])

    def frames(self, path: Path) -> int:
        """How many frames of a run can be looked at: all up to the newest, and of shots those up to a gap."""
        preset = self._look(path).preset
        if preset is None or not preset.cut_into_shots:
            return self.tail(path).look().frames
        with suppress(Refused):
            part = self.part(path)
            return part.first + self._tail(part).frames
        return 0

    def _tail(self, part: Part) -> Tail:
        return self.tail(part.path).look()

    def _speed(self, path: Path) -> float | None:
        """Frames a second, of all shots that are at work."""
        tails = [self._tail(part) for part in self.parts(path)]
        return sum(tail.speed or 0.0 for tail in tails if tail.event.get("event") in ("begin", "resume")) or None

    def _look(self, path: Path) -> _Known:
        known = self._known.get(path)
        if known is None:
            folder = RunFolder(path)
            known = self._known[path] = _Known(folder, Tail(folder.log_file))
        try:
            state = state_of(known.folder.preset_file)
            if state != known.state:
                known.preset, known.ancestry = known.folder.load_preset(), read_ancestry(known.folder.branch_file)
                known.state = state
        except (OSError, PipelineError):
            known.preset, known.state = None, ()
        return known

    def _state(self, path: Path, tail: Tail, preset: Preset | None) -> str:
        pid, last = self.renderers.pid(path), tail.event.get("event")
        if pid is not None and tail.begun.get("pid") != pid:
            return "waiting"
        if last in ("finished", "stopped"):
            return str(last)
        if pid is not None or (preset is not None and is_rendering(self._look(path).folder)):
            return "rendering"
        failed = preset is None or last == "failed" or self.renderers.error(path) is not None
        return "failed" if failed else "stopped"

    def _error(self, path: Path, tail: Tail) -> str | None:
        """Why a run failed: as its process said it, or, where that was none of the studio's, as its log does."""
        return shortened(self.renderers.error(path) or str(tail.event.get("error", "")), 600) or None

    def _parent(self, path: Path, preset: Preset | None) -> dict[str, Any] | None:
        ancestry = self._look(path).ancestry
        if ancestry is None or preset is None:
            return None
        parent = Path(ancestry.parent)
        known = self._library.run_id(parent)
        seconds = float(ancestry.frame / preset.fps)
        return {"id": known, "name": parent.name, "frame": ancestry.frame, "seconds": round(seconds, 3)}
