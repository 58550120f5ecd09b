"""How each run stands, told from its files: whoever began it, and wherever it is rendered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.disk import read_regular, state_of
from pipeline.errors import PipelineError, shortened
from pipeline.preset import Preset
from pipeline.preset.yaml12 import MAX_BYTES
from pipeline.run.ancestry import read_ancestry
from pipeline.run.folder import RunFolder
from pipeline.run.standing import is_rendering
from pipeline.studio.answers import Refused
from pipeline.studio.library import Library
from pipeline.studio.log import Tail
from pipeline.studio.processes import Renderers, mark_of


@dataclass
class _Known:
    """What was read of a run, and when its preset was as it was then."""

    tail: Tail
    state: tuple[int, ...] = ()
    preset: Preset | None = None


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
        speed = tail.speed if state == "rendering" else None
        return {
            "id": id_,
            "name": path.name,
            "state": state,
            "frames": tail.frames,
            "total": total,
            "fps": None if preset is None else float(preset.fps),
            "size": None if preset is None else [preset.size.width, preset.size.height],
            "speed": None if speed is None else round(speed, 2),
            "seconds_left": round((total - tail.frames) / speed, 1) if speed and total is not None else None,
            "parent": self._parent(path, preset),
            "error": self._error(path, tail) if state == "failed" else None,
            "poster": f"/api/runs/{id_}/frames/{tail.frames // 2}.jpg?width=320" if tail.frames else None,
            "film": f"/api/runs/{id_}/film" if self._film(path, preset) is not None else None,
        }

    def film(self, path: Path) -> Path | None:
        """The joined film, where there is one."""
        return self._film(path, self._look(path).preset)

    def _film(self, path: Path, preset: Preset | None) -> Path | None:
        film = None if preset is None else RunFolder(path).film(preset)
        return film if film is not None and film.is_file() else None

    def _look(self, path: Path) -> _Known:
        folder = RunFolder(path)
        known = self._known.setdefault(path, _Known(Tail(folder.log_file)))
        try:
            state = state_of(folder.preset_file)
            if state != known.state:
                known.preset, known.state = folder.load_preset(), state
        except (OSError, PipelineError):
            known.preset, known.state = None, ()
        return known

    def _state(self, path: Path, tail: Tail, preset: Preset | None) -> str:
        pid, last = self.renderers.pid(path), tail.event.get("event")
        if pid is not None and tail.begun.get("pid") != pid:
            return "waiting"
        if last in ("finished", "stopped"):
            return str(last)
        if pid is not None or (preset is not None and is_rendering(RunFolder(path))):
            return "rendering"
        failed = preset is None or last == "failed" or self.renderers.error(path) is not None
        return "failed" if failed else "stopped"

    def _error(self, path: Path, tail: Tail) -> str | None:
        """Why a run failed: as its process said it, or, where that was none of the studio's, as its log does."""
        return shortened(self.renderers.error(path) or str(tail.event.get("error", "")), 600) or None

    def _parent(self, path: Path, preset: Preset | None) -> dict[str, Any] | None:
        ancestry = read_ancestry(RunFolder(path).branch_file)
        if ancestry is None or preset is None:
            return None
        parent = Path(ancestry.parent)
        known = self._library.run_id(parent)
        seconds = float(ancestry.frame / preset.fps)
        return {"id": known, "name": parent.name, "frame": ancestry.frame, "seconds": round(seconds, 3)}
