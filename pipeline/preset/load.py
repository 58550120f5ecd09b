"""From a file and overrides to a validated preset, collecting every problem on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.disk import read_regular
from pipeline.errors import KeyPath, MediaError, PresetError, Problem, mishap, parse_path
from pipeline.listen import SOURCE, ListenConfig, hear, parse_listen, song_of
from pipeline.media.sound import Soundtrack
from pipeline.outputs import EncodeConfig
from pipeline.preset.boundary import ModelT, validated
from pipeline.preset.curves import curve_problems
from pipeline.preset.entries import ENCODE, begins_film, entry_names, find_entry
from pipeline.preset.explain import MOST_TOLD, shown, unknown
from pipeline.preset.model import MUTE_SOURCE, Preset
from pipeline.preset.names import name_from
from pipeline.preset.notes import looks_at
from pipeline.preset.overrides import Overrides
from pipeline.preset.packages import missing_packages
from pipeline.preset.plugins import wrong_package
from pipeline.preset.shelf import find_preset
from pipeline.preset.shots import problems_of_shots
from pipeline.preset.timeline import with_changes
from pipeline.preset.whole import read_whole
from pipeline.preset.yaml12 import MAX_BYTES, Document
from pipeline.signals import Signals
from pipeline.stages import STAGES, Entry, Role, StageConfig
from pipeline.stages.lookup import PluginError

MAX_STAGES = 64
_ANY_FPS = Fraction(24)
_SHELF = "give a preset's file, or a name on `dreamreel presets`"
_TAKERS = "the presets chelsea and over-footage begin with them"


def load_preset(path: str | Path, overrides: Overrides = (), *, checked: bool = True) -> Preset:
    """The preset in a YAML file, or by its name on the shelf: `load_preset("first-light", {"size": "320x180"})`.

    `overrides` replace what the file says: a mapping, or a row of (key, value), `KEY=VALUE` or Override, with keys as
    `--set` has them. Text in them is read as YAML. Not `checked`, a resolved preset is only read: whether its files are
    there and all its numbers fit is left open. Raises PresetError with every problem found.
    """
    if not isinstance(path, str | Path):
        raise PresetError([Problem("preset", (), f"is of type {type(path).__name__}; {_SHELF}")])
    path = find_preset(path) if isinstance(path, str) else path
    try:
        raw = read_regular(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
        raise PresetError([Problem(str(path), (), f"can't be read: {reason}; {_SHELF}")]) from None
    loaded = parse_preset(raw, name=str(path), folder=path.parent.absolute(), overrides=overrides, checked=checked)
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


def _built(document: Document, folder: Path, checked: bool) -> Preset:
    base = _Builder(document, folder, checked).build()
    return with_changes(base, document, lambda other: _Builder(other, folder, checked).build())


class _Builder:
    """Validates the document part by part, so that one mistake does not hide the next."""

    def __init__(self, document: Document, folder: Path, checked: bool) -> None:
        self._document, self._checked = document, checked
        self._context: dict[str, Any] = {"folder": folder, "checked": checked, "keyframes": {}}
        self._problems: list[Problem] = []
        self._models: dict[str, type[Entry]] = {}
        self._deaf = False

    def build(self) -> Preset:
        top = {key: value for key, value in self._document.data.items() if key != "stages"}
        self._context["signals"] = self._hear(top.get("listen"))
        stages = self._stages()
        ordered = not self._problems
        configs = tuple(config for config in stages if config is not None)
        if top.get("listen") is not None and "audio" not in top:
            top["audio"] = "song"
        natural = self._natural(configs, top) if self._checked else {}
        keys = (natural or {}) | top
        preset = self._preset(keys, configs)
        if preset is not None and "duration" not in keys:
            preset = preset.as_long_as_song(self._context["signals"])
        begins = bool(stages) and stages[0] is not None and begins_film(type(stages[0]))
        if self._checked and preset is not None and natural is not None and begins and not self._deaf:
            self._check_run(preset, stages)
            if ordered:
                self._check_round(preset)
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
        if not isinstance(listed, list) or not listed:
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
        self._check_order(listed)
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

    def _check_order(self, listed: list[Any]) -> None:
        """One source, first; encodes last. Judged by name, so that broken keys don't hide it."""
        names = [
            str(entry["stage"])
            for entry in listed
            if isinstance(entry, dict) and str(entry.get("stage")) in self._models
        ]
        if len(names) < len(listed):
            return
        sources = {name for name, model in self._models.items() if begins_film(model)}
        if not sources & set(names):
            ours = (name for name, kind in STAGES.items() if begins_film(kind.config))
            self._add(("stages",), f"has no source; begin with one of {', '.join(ours)}")
        for index, name in enumerate(names):
            path = ("stages", index, "stage")
            if name in sources and index > 0:
                first = sources & set(names[:index])
                reason = "is a second source; keep one" if first else "is a source; it must stand first"
                self._add(path, f"{name} {reason}")
            if name == ENCODE and set(names[index:]) != {ENCODE}:
                self._add(path, f"{name} must stand last; nothing but others of its kind may follow")

    def _check_run(self, preset: Preset, stages: list[Entry | None]) -> None:
        """What the run says of each stage that can be read, though another can't."""
        spec = preset.spec()
        spec = replace(spec, looks=looks_at(stages))
        for index, config in enumerate(stages):
            with self._located(("stages", index)):
                curves = curve_problems(config, spec) if isinstance(config, StageConfig) else ()
                within = spec if isinstance(config, StageConfig) and config.feeds_back else spec.shown
                for key, message in () if config is None else (*curves, *config.problems(within)):
                    self._add(("stages", index, *parse_path(key)), message)
        if spec.on_sphere and preset.margin:
            self._add(
                ("margin",), f"is {preset.margin:g}, but a sphere ends nowhere: nothing lies beyond it; leave it out"
            )
        elif spec.on_sphere and not spec.size.is_sphere:
            height = max(2, round(spec.size.width / 4) * 2)
            wanted = f"twice as wide as high with `projection: equirectangular`, such as {2 * height}x{height}"
            self._add(("size",), f"is {spec.size}, must be {wanted}")
        for place, message in problems_of_shots(preset):
            self._add(place, message)
        if spec.lead_in and not spec.continues:
            self._add(("lead_in",), "is for films that grow out of themselves; footage begins as it is: leave it out")
        if preset.margin and not spec.continues:
            remedy = "leave it out; `edges: reflect` of the zoom stage shows its mirror image there"
            self._add(("margin",), f"is {preset.margin:g}, but footage has nothing beyond its frame; {remedy}")

    def _check_round(self, preset: Preset) -> None:
        """Behind a stage that ends the round from frame to frame, nothing feeds back."""
        ender: StageConfig | None = None
        for index, config in enumerate(preset.chain):
            if config.role is not Role.EFFECT:
                continue
            if ender is not None and config.feeds_back:
                remedy = ", or give it `shown_only: true`" if "shown_only" in type(config).model_fields else ""
                self._add(("stages", index), f"{config.id} feeds back, so it must stand before {ender.id}{remedy}")
            if config.closes or not config.feeds_back:
                ender = config


def _free_id(name: str, taken: set[str]) -> str:
    number = 1
    while (candidate := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return candidate
