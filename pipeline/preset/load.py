"""From a file and overrides to a validated preset, collecting every problem on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.disk import read_regular
from pipeline.errors import KeyPath, MediaError, PresetError, Problem, mishap
from pipeline.listen import SOURCE, ListenConfig, hear, parse_listen, song_of
from pipeline.media.sound import Soundtrack
from pipeline.outputs import EncodeConfig
from pipeline.preset.boundary import ModelT, validated
from pipeline.preset.checks import Findings, order_problems, round_problems, run_problems
from pipeline.preset.entries import ENCODE, begins_film, entry_names, find_entry
from pipeline.preset.explain import MOST_TOLD, shown, unknown
from pipeline.preset.hearing import Hearing, rest_of_song
from pipeline.preset.model import MUTE_SOURCE, Preset
from pipeline.preset.names import name_from
from pipeline.preset.overrides import Overrides
from pipeline.preset.packages import missing_packages
from pipeline.preset.plugins import wrong_package
from pipeline.preset.scene import SCENE_WIDE
from pipeline.preset.scenes import SCENES, scene_wide, with_scenes
from pipeline.preset.shelf import find_preset
from pipeline.preset.timeline import with_changes
from pipeline.preset.whole import read_whole
from pipeline.preset.yaml12 import MAX_BYTES, Document
from pipeline.signals import Signals
from pipeline.stages import Entry, StageConfig
from pipeline.stages.lookup import PluginError

MAX_STAGES = 64
_ANY_FPS = Fraction(24)
_SHELF = "give a preset's file, or a name on `dreamreel presets`"
_TAKERS = "the presets chelsea and over-footage begin with them"


def load_preset(
    path: str | Path, overrides: Overrides = (), *, checked: bool = True, folder: Path | None = None
) -> Preset:
    """The preset in a YAML file, or by its name on the shelf: `load_preset("first-light", {"size": "320x180"})`.

    `overrides` replace what the file says: a mapping, or a row of (key, value), `KEY=VALUE` or Override, with keys as
    `--set` has them. Text in them is read as YAML. Relative paths begin in `folder`, by default the preset's own. Not
    `checked`, a resolved preset is only read: whether its files are there and all its numbers fit is left open. Raises
    PresetError with every problem found.
    """
    if not isinstance(path, str | Path):
        raise PresetError([Problem("preset", (), f"is of type {type(path).__name__}; {_SHELF}")])
    path = find_preset(path) if isinstance(path, str) else path
    try:
        raw = read_regular(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
        raise PresetError([Problem(str(path), (), f"can't be read: {reason}; {_SHELF}")]) from None
    folder = (path.parent if folder is None else folder).absolute()
    loaded = parse_preset(raw, name=str(path), folder=folder, overrides=overrides, checked=checked)
    loaded._origin = str(path.absolute())
    return loaded


def parse_preset(
    raw: bytes | str,
    *,
    name: str = "preset",
    folder: Path | None = None,
    overrides: Overrides = (),
    checked: bool = True,
) -> Preset:
    """The preset in YAML, bytes or text; relative paths are taken from `folder`, by default the current one.

    `overrides` are those of `load_preset`. Raises PresetError, whatever is in it.
    """
    folder = Path.cwd() if folder is None else folder
    try:
        raw = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw
        document = read_whole(raw, name, folder, overrides)
        if checked and (missing := missing_packages(document)):
            raise PresetError(missing)
        document.data.setdefault("name", name_from(Path(name).stem))
        return _built(document, folder, checked)
    except PresetError:
        raise
    except Exception as error:
        raise PresetError([Problem(name, (), mishap(error))]) from error


def _built(document: Document, folder: Path, checked: bool, hearing: Hearing | None = None) -> Preset:
    base = _Builder(document, folder, checked, hearing).build()
    return with_changes(base, document, lambda other: _Builder(other, folder, checked, hearing).build())


class _Builder:
    """Validates the document part by part, so that one mistake does not hide the next.

    That of a scene may be `hearing` its film's song.
    """

    def __init__(self, document: Document, folder: Path, checked: bool, hearing: Hearing | None) -> None:
        self._document, self._folder, self._checked = document, folder, checked
        self._context: dict[str, Any] = {"folder": folder, "checked": checked, "keyframes": {}}
        self._problems: list[Problem] = []
        self._models: dict[str, type[Entry]] = {}
        self._deaf = False
        self._hearing = hearing if document.data.get("listen") is None else None

    def build(self) -> Preset:
        top = {key: value for key, value in self._document.data.items() if key not in ("stages", SCENES)}
        if SCENES in self._document.data:
            return self._film_of_scenes(top)
        if self._hearing is None:
            self._context["signals"] = self._hear(top.get("listen"))
        else:
            self._context |= {"signals": self._hearing.signals, "within": self._hearing.within}
        stages = self._stages()
        ordered = not self._problems
        configs = tuple(config for config in stages if config is not None)
        if top.get("listen") is not None and "audio" not in top:
            top["audio"] = "song"
        natural = self._natural(configs, top) if self._checked else {}
        keys = (natural or {}) | top
        preset = self._preset(keys, configs)
        if preset is not None:
            preset.follow(self._hearing, None if self._hearing is None else self._hearing.signals)
            preset = preset if "duration" in keys else self._as_long_as_song(preset)
        begins = bool(stages) and stages[0] is not None and begins_film(type(stages[0]))
        if self._checked and preset is not None and natural is not None and begins and not self._deaf:
            self._add_all(run_problems(preset, stages))
            if ordered:
                self._add_all(round_problems(preset))
        return self._required(preset)

    def _as_long_as_song(self, preset: Preset) -> Preset:
        """The preset with the length of the part of the song that it hears: the film's, or what is left for the last
        of its scenes."""
        listen, signals, begins = preset.listen, self._context["signals"], Fraction(0)
        if self._hearing is not None and self._hearing.last:
            listen, begins = self._hearing.listen, self._hearing.within.begins
        if listen is None or signals is None:
            return preset
        duration = rest_of_song(listen, signals, begins)
        if duration is None:
            said = f"is left out, and the song is over when the scene begins, at {float(begins):g}s; say how long it is"
            self._add(("duration",), said)
            return preset
        return preset.model_copy(update={"duration": duration})

    def _film_of_scenes(self, top: dict[str, Any]) -> Preset:
        """A film whose chains stand in scenes: here are only its keys, and how it is written."""
        self._problems += scene_wide(self._document)
        listens, given = top.get("listen") is not None, parse_listen(top.get("listen"))
        if isinstance(given, dict) and given.get("path") == SOURCE:
            self._add(("listen",), "is source, which a film of scenes has not; name a file with sound")
        else:
            self._context["signals"] = self._hear(given)
        stages = self._stages()
        keys = {"audio": "song" if listens else "none"}
        keys |= {key: value for key, value in top.items() if key not in SCENE_WIDE}
        if keys["audio"] == "source" or (keys["audio"] == "song" and not listens):
            self._add(("audio",), f"is {keys['audio']}, which a film of scenes has not; name a file, or none")
        film = self._preset(keys, tuple(config for config in stages if config is not None))
        film = with_scenes(self._required(film), self._document, self._again, self._context.get("signals"))
        if self._checked:
            self._add_all(run_problems(film, stages))
        return self._required(film)

    def _required(self, preset: Preset | None) -> Preset:
        """The preset, if all is well with it. Raises PresetError."""
        if self._problems or preset is None:
            more = [Problem(self._document.name, (), f"and more; these are the first {MOST_TOLD} problems")]
            raise PresetError([*self._problems[:MOST_TOLD], *(more if len(self._problems) > MOST_TOLD else [])])
        return preset

    def _hear(self, given: object) -> Signals | None:
        """What the film hears, for times in beats. What is wrong with the keys is told when the whole is read."""
        keys = parse_listen(given)
        if not self._checked or not isinstance(keys, dict):
            return None
        config, _ = validated(ListenConfig, keys, ("listen",), self._document, self._context)
        self._deaf = True
        with self._located(("listen",)):
            song = None if config is None else self._song(config)
            found = None if config is None or song is None else hear(config, song)
            self._deaf = False
            return found
        return None

    def _song(self, config: ListenConfig) -> Soundtrack | None:
        if config.path != SOURCE:
            return song_of(config)
        first = next(iter(self._document.data.get("stages") or ()), None)
        model = find_entry(str(first["stage"])) if isinstance(first, dict) and "stage" in first else None
        keys = {key: value for key, value in first.items() if key != "stage"} if isinstance(first, dict) else {}
        source, _ = (None, []) if model is None else validated(model, keys, (), self._document, self._context)
        if not isinstance(source, StageConfig):
            return None  # which is told as it is read
        sound = source.sound(_ANY_FPS)
        if sound is None:
            raise MediaError(MUTE_SOURCE)
        return sound

    def _again(self, document: Document, hearing: Hearing | None) -> Preset:
        return _built(document, self._folder, self._checked, hearing)

    def _add_all(self, findings: Findings) -> None:
        for path, message in findings:
            self._add(path, message)

    def _add(self, path: KeyPath, message: str) -> None:
        self._problems.append(self._document.problem(path, message))

    def _add_package(self, path: KeyPath, message: str) -> None:
        self._problems.append(replace(self._document.problem(path, message), package=True))

    @contextlib.contextmanager
    def _located(self, path: KeyPath) -> Iterator[None]:
        """Whatever goes wrong in the block becomes a problem at `path`."""
        try:
            yield
        except Exception as error:
            self._add(path, mishap(error))

    def _natural(self, configs: tuple[Entry, ...], given: dict[str, Any]) -> dict[str, object] | None:
        """What the source knows of the keys that are left out, such as a film's size; None where it can't tell."""
        with self._located(("stages", 0, "path")):
            return configs[0].natural(given) if configs and isinstance(configs[0], StageConfig) else {}
        return None

    def _preset(self, top: dict[str, Any], stages: tuple[Entry, ...]) -> Preset | None:
        return self._validated(Preset, top, (), {"stages": stages})

    def _validated(
        self, model: type[ModelT], keys: dict[str, Any], path: KeyPath, extra: dict[str, Any] | None = None
    ) -> ModelT | None:
        made, problems = validated(model, keys, path, self._document, self._context, extra)
        self._problems.extend(problems)
        return made

    def _stages(self) -> list[Entry | None]:
        listed = self._document.data.get("stages")
        if SCENES in self._document.data and "stages" not in self._document.data:
            listed = []
        elif not isinstance(listed, list) or not listed:
            found = "is missing" if "stages" not in self._document.data else f"is {shown(listed)}"
            self._add(("stages",), f"{found}, must be a list such as `- stage: noise`")
            return []
        if len(listed) > MAX_STAGES:
            self._add(("stages",), f"has {len(listed)} stages, may have at most {MAX_STAGES}")
            return []
        configs: list[Entry | None] = []
        taken: set[str] = set()
        for index, entry in enumerate(listed):
            config = self._stage(entry, ("stages", index), taken)
            if config is not None:
                taken.add(config.id)
            configs.append(config)
        self._add_all(order_problems(listed, self._models, has_scenes=SCENES in self._document.data))
        if not any(isinstance(entry, dict) and entry.get("stage") == ENCODE for entry in listed):
            configs.append(EncodeConfig.model_validate({"id": _free_id(ENCODE, taken)}))
        return configs

    def _stage(self, entry: object, path: KeyPath, taken: set[str]) -> Entry | None:
        if not isinstance(entry, dict):
            self._add(path, f"is {shown(entry)}, must be a mapping such as `- stage: dream`")
            return None
        name = entry.get("stage")
        if name is None:
            self._add(path, f"has no `stage:`; name one of {', '.join(entry_names())}")
            return None
        model = self._look_up(str(name), (*path, "stage"))
        if model is None:
            return None
        keys = {key: value for key, value in entry.items() if key != "stage"}
        if "id" not in keys:
            keys["id"] = _free_id(name, taken)
        elif isinstance(keys["id"], str) and keys["id"] in taken:
            self._add((*path, "id"), f"is {shown(keys['id'])}, which another stage has already")
        if begins_film(model) and "path" in keys and "path" not in model.model_fields:
            del keys["path"]
            self._add((*path, "path"), f"{name} takes no file: `image` takes a picture, `video` a film; {_TAKERS}")
        return self._validated(model, keys, path)

    def _look_up(self, name: str, path: KeyPath) -> type[Entry] | None:
        try:
            model = find_entry(name)
        except PluginError as error:
            self._add_package(path, str(error))
            return None
        if wrong := wrong_package(name, self._document.data.get("plugins"), model is not None):
            self._add_package(path, wrong)
        elif model is None:
            self._add(path, unknown("stage", name, entry_names()))
        else:
            self._models[name] = model
        return self._models.get(name)


def _free_id(name: str, taken: set[str]) -> str:
    number = 1
    while (candidate := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return candidate
