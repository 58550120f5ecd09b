"""What there is in the studio's folder, by ids: nobody names a path, and what is found lies in the folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.disk import Reach, cache_folder, read_regular, state_of, within, write_whole
from pipeline.errors import PipelineError
from pipeline.media.paths import package_of
from pipeline.preset import Preset, parse_preset, shelf
from pipeline.preset.names import name_from
from pipeline.preset.yaml12 import MAX_BYTES
from pipeline.run.folder import RunFolder
from pipeline.studio.answers import Refused

RUNS = "renders"
MARK = "studio.json"
_PACKAGE = Path(__file__).resolve().parents[1]
_PRESET_FOLDERS = (".", "presets")
_SUFFIXES = (".yaml", ".yml")
_MOST = 1000  # of a kind; a folder with more is no folder of films


@dataclass(frozen=True)
class PresetFile:
    """One preset, of the folder or of the shelf."""

    id: str
    path: Path
    own: bool

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.stem

    def text(self) -> str:
        """All that it says. Raises Refused."""
        try:
            return read_regular(self.path, MAX_BYTES).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(409, f"{self.path.name} can't be read: {error}") from None

    @property
    def poster(self) -> Path | None:
        """A picture of its film, where one lies beside the shelf."""
        installed, checkout = _PACKAGE / "posters", _PACKAGE.parent / "docs" / "gallery"
        folder = installed if installed.is_dir() else checkout
        picture = folder / f"{self.name.removesuffix('-hd')}.jpg"
        return picture if not self.own and picture.is_file() else None


class Library:
    """The presets and the runs that the studio shows. Presets lie in the folder or in its `presets`, runs in `renders`.

    Nothing outside the folder is touched, but for the shelf, which is read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._titles: dict[Path, tuple[tuple[int, ...], dict[str, object]]] = {}

    @property
    def reach(self) -> tuple[Path, ...]:
        """Where files lie that a check may open: here, and what comes with dreamreel or with Python's packages."""
        packages = [found for name in ("torch",) if (found := package_of(f"package:{name}/")[1]) is not None]
        return (
            self.folder,
            _PACKAGE,
            *(path.parent for path in shelf().values()),
            cache_folder(),
            *(path.parent for path in packages),
        )

    def holds(self, path: Path) -> bool:
        """Whether a check may open that file."""
        return Reach(self.reach).holds(path)

    def presets(self) -> dict[str, PresetFile]:
        """All presets by their ids: the folder's, then the shelf's."""
        own = {path.resolve(): path for path in self._own_presets()}
        found = [PresetFile(self._own_id(path), path, True) for path in own.values()]
        found += [
            PresetFile(_id_of(name, "shelf", name), path, False)
            for name, path in shelf().items()
            if path.resolve() not in own
        ]
        return {each.id: each for each in found}

    def preset(self, id_: str) -> PresetFile:
        """The preset of that id. Raises Refused."""
        try:
            return self.presets()[id_]
        except KeyError:
            raise Refused(404, "there is no such preset (any more); reload the page") from None

    def _own_presets(self) -> Iterator[Path]:
        for place in _PRESET_FOLDERS:
            folder = self.folder / place
            listed = sorted(folder.iterdir())[:_MOST] if folder.is_dir() else []
            for path in listed:
                if path.suffix in _SUFFIXES and path.name[0] != "." and self.is_own(path) and _is_preset(path):
                    yield path

    def is_own(self, path: Path) -> bool:
        """Whether there is such a file in the folder, wherever links lead."""
        return path.is_file() and path.resolve().is_relative_to(self.folder)

    def save(self, id_: str, text: str) -> None:
        """Write one's own preset. Raises Refused for the shelf's."""
        found = self.preset(id_)
        if not found.own:
            raise Refused(409, f"{found.name} comes with dreamreel and stays as it is; save it under another name")
        self._write(found.path, text)

    def add(self, name: str, text: str) -> str:
        """A new preset of that name; returns its id. Raises Refused where there is one."""
        path = self.folder / f"{_file_name(name)}.yaml"
        if path.exists() or path.is_symlink():
            raise Refused(409, f"{path.name} is there already; choose another name")
        self._write(path, text)
        return self._own_id(path)

    def _own_id(self, path: Path) -> str:
        return _id_of(path.stem, "own", str(path.relative_to(self.folder)))

    def _write(self, path: Path, text: str) -> None:
        data = text.encode()
        if len(data) > MAX_BYTES:
            raise Refused(413, f"is {len(data)} bytes long; a preset may have at most {MAX_BYTES}")
        try:
            write_whole(path, data)
        except OSError as error:
            raise Refused(409, f"{path.name} can't be written: {error.strerror or error}") from None

    def about(self, preset: PresetFile) -> dict[str, object]:
        """What the page lists of a preset; None where the text is not right, or its files would tell."""
        try:
            state = state_of(preset.path)
            known = self._titles.get(preset.path)
            if known is None or known[0] != state:
                self._titles[preset.path] = known = (state, self._read(preset))
        except (OSError, Refused):
            known = ((), _about("", None))
        poster = None if preset.poster is None else f"/api/presets/{preset.id}/poster.jpg"
        return {"id": preset.id, "name": preset.name, "own": preset.own, "poster": poster, **known[1]}

    def _read(self, preset: PresetFile) -> dict[str, object]:
        text = preset.text()
        with within(self.reach):
            try:
                return _about(text, parse_preset(text, folder=preset.path.parent.absolute(), checked=False))
            except PipelineError:
                return _about(text, None)

    def runs(self) -> dict[str, Path]:
        """The folders of all runs by their ids, those of batches and of films' shots behind what they belong to."""
        return {self._run_id(path): path for path in islice(self._all_runs(self.folder / RUNS), _MOST)}

    def _all_runs(self, folder: Path, deep: bool = True) -> Iterator[Path]:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if self._is_run(path):
                yield path
                if (path / "shots").is_dir():
                    yield from filter(self._is_run, (shot.path for shot in RunFolder(path).shots_there()))
            elif deep and path.name[0] != ".":
                yield from self._all_runs(path, deep=False)

    def _is_run(self, path: Path) -> bool:
        there = (path / "preset.yaml").is_file() or (path / MARK).is_file()
        return there and path.name[0] != "." and path.resolve().is_relative_to(self.folder)

    def _run_id(self, path: Path) -> str:
        return _id_of(path.name, "run", path.relative_to(self.folder / RUNS).as_posix())

    def called(self, path: Path) -> tuple[str, str | None]:
        """What a run is called, and what it is one of many of: a batch, or the shots of a film."""
        film = path.parent.parent
        if path.parent.name == "shots" and self._is_run(film):
            return f"{film.name} shot {path.name.lstrip('0')}", f"shots of {film.name}"
        return path.name, None if path.parent == self.folder / RUNS else path.parent.name

    def run(self, id_: str) -> Path:
        """The folder of the run of that id. Raises Refused."""
        try:
            return self.runs()[id_]
        except KeyError:
            raise Refused(404, "there is no such run (any more); reload the page") from None

    def run_id(self, path: Path) -> str | None:
        """The id of the run in a folder; None where it is none of these."""
        root, there = (self.folder / RUNS).resolve(), path.resolve()
        known = there.is_relative_to(root) and there != root and self._is_run(path)
        return self._run_id(self.folder / RUNS / there.relative_to(root)) if known else None

    def free_run(self, name: str) -> Path:
        """A folder for a new run, which is made, of that name or one like it. Raises Refused."""
        folder, stem = self.folder / RUNS, _file_name(name)
        for number in range(1, _MOST):
            path = folder / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir(parents=True)
                return path
            except FileExistsError:
                continue
            except OSError as error:
                raise Refused(409, f"{path} can't be made: {error.strerror or error}") from None
        raise Refused(409, f"there are {_MOST} runs called {stem}; choose another name")


def _id_of(name: str, kind: str, key: str) -> str:
    digest = hashlib.blake2b(f"{kind}:{key}".encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{slug}-{digest}" if slug else digest


def _file_name(name: str) -> str:
    if not name.strip() or len(name) > 100:
        raise Refused(422, "give it a name of 1 to 100 letters")
    return name_from(name.strip())


def _is_preset(path: Path) -> bool:
    try:
        return re.search(rb"^(?:stages|extends|scenes)[ \t]*:", read_regular(path, MAX_BYTES), re.MULTILINE) is not None
    except OSError:
        return False


def _about(text: str, preset: Preset | None) -> dict[str, object]:
    first = text.partition("\n")[0]
    seconds = None if preset is None else preset.duration.to_seconds(preset.fps)
    return {
        "title": first.lstrip("# ").strip() if first.startswith("#") else "",
        "seconds": None if seconds is None else float(seconds),
        "size": None if preset is None else [preset.size.width, preset.size.height],
    }
