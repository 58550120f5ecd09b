"""From a file and overrides to a validated preset, collecting every problem on the way."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import DeviceError, PipelineError, PresetError, Problem
from pipeline.media.paths import typed
from pipeline.preset.explain import explain, shown, unknown
from pipeline.preset.model import Preset
from pipeline.preset.packages import missing_packages
from pipeline.preset.yaml12 import Document, KeyPath, format_path, read_document, read_value
from pipeline.stages import STAGES, Role, StageConfig

_SHELF = "give a preset's file, or a name on `dreamreel presets`"
_TAKERS = "the presets chelsea and over-footage begin with them"
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True)
class Override:
    """A value that replaces the file's: `key` is a path such as `fps`, `dream.steps` or `stages[2].steps`.

    `label` names where it came from in messages, such as `--set`.
    """

    key: str
    value: str
    label: str = "--set"
    quoted: bool = False
    """whether the value is text as it stands, not YAML"""

    def __str__(self) -> str:
        return f"{self.label} {self.key}={self.value}" if self.label == "--set" else f"{self.label} {self.value}"


def load_preset(path: str | Path, overrides: Sequence[Override] = (), *, checked: bool = True) -> Preset:
    """The preset in a YAML file. Raises PresetError with every problem found.

    Not `checked`, a resolved preset is only read: whether its files are there and all its numbers fit is left open.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PresetError([Problem(str(path), "", f"can't be read: {error.strerror}; {_SHELF}")]) from None
    preset = parse_preset(raw, name=str(path), folder=path.parent.absolute(), overrides=overrides, checked=checked)
    preset._origin = str(path.absolute())
    return preset


def parse_preset(
    raw: bytes | str,
    *,
    name: str = "preset",
    folder: Path | None = None,
    overrides: Sequence[Override] = (),
    checked: bool = True,
) -> Preset:
    """The preset in YAML, bytes or text; relative paths are taken from `folder`, by default the current one."""
    document = read_document(raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw, name)
    if document.data is None:
        raise PresetError([Problem(name, "", "is empty; a preset needs `stages:` (see `dreamreel presets`)")])
    if not isinstance(document.data, dict):
        found = shown(document.data)
        raise PresetError([Problem(name, "", f"is {found}, must be a mapping of keys such as `stages:`")])
    document.data = copy.deepcopy(document.data)  # aliases share their value; an override changes one of them
    for override in overrides:
        _apply(document, override)
    if checked and (missing := missing_packages(document)):
        raise PresetError(missing)
    document.data.setdefault("name", Path(name).stem)
    return _Builder(document, Path.cwd() if folder is None else folder, checked).build()


def _apply(document: Document, override: Override) -> None:
    keys = _override_path(document, override)
    target: Any = document.data
    for depth, key in enumerate(keys):
        inside = key < len(target) if isinstance(key, int) and isinstance(target, list) else isinstance(target, dict)
        if not inside:
            place = format_path(keys[:depth]) or "the preset"
            raise PresetError([Problem(str(override), "", f"{place} has no {format_path((key,))}")])
        if depth < len(keys) - 1:
            target = target[key] if isinstance(key, int) else target.setdefault(key, {})
    target[keys[-1]] = override.value if override.quoted else typed(read_value(override.value, str(override)))
    for path in [path for path in document.lines if path[: len(keys)] == keys]:
        del document.lines[path]
    document.sources[keys] = str(override)


def _override_path(document: Document, override: Override) -> KeyPath:
    """`dream.steps` stands for the one stage called dream; `stages[2].steps` and `fps` for themselves."""
    parts = _path(override.key)
    if not parts or re.sub(r"[.\[\]]", "", override.key) == "":
        raise PresetError([Problem(str(override), "", "needs a key, such as fps=30 or dream.steps=4")])
    head = parts[0]
    stages = document.data.get("stages")
    if head in Preset.model_fields or not isinstance(stages, list):
        return parts
    matching = [
        index
        for index, stage in enumerate(stages)
        if isinstance(stage, dict) and head in (stage.get("id"), stage.get("stage"))
    ]
    if len(parts) == 1:
        if matching:
            raise PresetError([Problem(str(override), "", f"{head} is a stage; {_key_hint(stages[matching[0]])}")])
        return parts
    if len(matching) == 1:
        return ("stages", matching[0], *parts[1:])
    if matching:
        choices = " or ".join(f"stages[{index}]" for index in matching)
        message = f"there are {len(matching)} stages called {head!r}; say {choices}, or give them an `id`"
    else:
        names = [*Preset.model_fields, *(s["stage"] for s in stages if isinstance(s, dict) and "stage" in s)]
        message = unknown("key", str(head), map(str, names))
    raise PresetError([Problem(str(override), "", message)])


def _key_hint(stage: dict[str, Any]) -> str:
    """Which of a stage's keys a bare `zoom=2` may have meant."""
    kind, called = str(stage.get("stage")), stage.get("id", stage.get("stage"))
    config = STAGES[kind].config if kind in STAGES else StageConfig
    key = kind if kind in config.model_fields else "KEY"
    return f"say which of its keys, as in {called}.{key}=VALUE (`dreamreel stages {kind}` lists them)"


def _path(text: str) -> KeyPath:
    """The keys of `stages[1].octaves`."""
    return tuple(name or int(index) for name, index in _PART.findall(text))


class _Builder:
    """Validates the document part by part, so that one mistake does not hide the next."""

    def __init__(self, document: Document, folder: Path, checked: bool) -> None:
        self._document, self._checked = document, checked
        self._context = {"folder": folder, "checked": checked}
        self._problems: list[Problem] = []

    def build(self) -> Preset:
        top = {key: value for key, value in self._document.data.items() if key != "stages"}
        stages = self._stages()
        ordered = not self._problems
        configs = tuple(config for config in stages if config is not None)
        natural = self._natural(configs, top) if self._checked else {}
        preset = self._preset((natural or {}) | top, configs)
        begins = bool(stages) and stages[0] is not None and stages[0].role is Role.SOURCE
        if self._checked and preset is not None and natural is not None and begins:
            self._check_run(preset, stages)
            if ordered:
                self._check_round(preset)
        if self._problems or preset is None:
            raise PresetError(self._problems)
        return preset

    def _add(self, path: KeyPath, message: str) -> None:
        self._problems.append(Problem(self._document.where(path), format_path(path), message))

    def _natural(self, configs: tuple[StageConfig, ...], given: dict[str, Any]) -> dict[str, object] | None:
        """What the source knows of the keys that are left out, such as a film's size; None where it can't tell."""
        try:
            return configs[0].natural(given) if configs else {}
        except PipelineError as error:
            self._add(("stages", 0, "path"), str(error))
            return None

    def _preset(self, top: dict[str, Any], stages: tuple[StageConfig, ...]) -> Preset | None:
        try:
            return Preset.model_validate({**top, "stages": stages}, context=self._context)
        except ValidationError as error:
            self._problems.extend(explain(error, Preset, (), self._document))
            return None

    def _stages(self) -> list[StageConfig | None]:
        listed = self._document.data.get("stages")
        if not isinstance(listed, list) or not listed:
            found = "is missing" if "stages" not in self._document.data else f"is {shown(listed)}"
            self._add(("stages",), f"{found}, must be a list such as `- stage: noise`")
            return []
        configs: list[StageConfig | None] = []
        taken: set[str] = set()
        for index, entry in enumerate(listed):
            config = self._stage(entry, ("stages", index), taken)
            if config is not None:
                taken.add(config.id)
            configs.append(config)
        self._check_order(listed)
        return configs

    def _stage(self, entry: object, path: KeyPath, taken: set[str]) -> StageConfig | None:
        if not isinstance(entry, dict):
            self._add(path, f"is {shown(entry)}, must be a mapping such as `- stage: dream`")
            return None
        name = entry.get("stage")
        if name is None:
            self._add(path, f"has no `stage:`; name one of {', '.join(STAGES)}")
            return None
        if not isinstance(name, str) or name not in STAGES:
            self._add((*path, "stage"), unknown("stage", str(name), STAGES))
            return None
        keys = {key: value for key, value in entry.items() if key != "stage"}
        if "id" not in keys:
            keys["id"] = _free_id(name, taken)
        elif isinstance(keys["id"], str) and keys["id"] in taken:
            self._add((*path, "id"), f"is {shown(keys['id'])}, which another stage has already")
        model = STAGES[name].config
        if model.role is Role.SOURCE and "path" in keys and "path" not in model.model_fields:
            del keys["path"]
            self._add((*path, "path"), f"{name} takes no file: `image` takes a picture, `video` a film; {_TAKERS}")
        try:
            return model.model_validate(keys, context=self._context)
        except ValidationError as error:
            self._problems.extend(explain(error, model, path, self._document))
            return None

    def _check_order(self, listed: list[Any]) -> None:
        """One source, first; at most one encode, last. Judged by name, so that broken keys don't hide it."""
        roles = [
            STAGES[entry["stage"]].config.role
            for entry in listed
            if isinstance(entry, dict) and isinstance(entry.get("stage"), str) and entry["stage"] in STAGES
        ]
        if len(roles) < len(listed):
            return
        sources = [name for name, kind in STAGES.items() if kind.config.role is Role.SOURCE]
        if Role.SOURCE not in roles:
            self._add(("stages",), f"has no source; begin with one of {', '.join(sources)}")
        for index, role in enumerate(roles):
            path = ("stages", index, "stage")
            if role is Role.SOURCE and index > 0:
                first = Role.SOURCE in roles[:index]
                reason = "is a second source; keep one" if first else "is a source; it must stand first"
                self._add(path, f"{listed[index]['stage']} {reason}")
            if role is Role.SINK and index < len(roles) - 1:
                self._add(path, f"{listed[index]['stage']} must stand last, and once")

    def _check_run(self, preset: Preset, stages: list[StageConfig | None]) -> None:
        """What the run says of each stage that can be read, though another can't."""
        try:
            spec = preset.spec()
        except DeviceError as error:
            self._add(("device",), str(error))
            return
        for index, config in enumerate(stages):
            found = () if config is None else (*config.curve_problems(spec), *config.problems(spec))
            for key, message in found:
                self._add(("stages", index, *_path(key)), message)
        if spec.lead_in and not spec.continues:
            self._add(("lead_in",), "is for films that grow out of themselves; footage begins as it is: leave it out")

    def _check_round(self, preset: Preset) -> None:
        """Behind a stage that ends the round from frame to frame, nothing feeds back."""
        ender: StageConfig | None = None
        for index, config in enumerate(preset.stages):
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
