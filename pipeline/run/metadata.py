"""What a film says about itself: the preset that renders it again, what that needs, and what it was made with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from pipeline.media.paths import package_path
from pipeline.preset import Preset, plain_yaml
from pipeline.run.environment import versions
from pipeline.run.facts import InputFacts


def film_comment(
    preset: Preset, inputs: Mapping[str, InputFacts], environment: Mapping[str, str], origin: str | None
) -> str:
    """The YAML that stands in a film's `comment`. No path of the machine is in it.

    `inputs` says what is in each file that the preset names, by its key; `origin` is the file it came from.
    """
    names = portable_names(preset, None if origin is None else Path(origin).parent)
    wanted: dict[str, dict[str, Any]] = {}
    for key, name in names.items():
        wanted[key] = {"file": name}
        if key in inputs:
            wanted[key] |= {"bytes": inputs[key].size, "blake2b": inputs[key].digest}
    made_with = {name: environment[name] for name in versions(preset.packages().values()) if name in environment}
    return plain_yaml({"made_with": made_with, "inputs": wanted, "preset": preset.with_inputs(names)})


def portable_names(preset: Preset, folder: Path | None) -> dict[str, str]:
    """What to call each input in a preset that goes anywhere, by its key.

    Relative to the folder where it lies below it, `package:...` inside a Python package, else its bare name; two
    files never share one.
    """
    names: dict[str, str] = {}
    owners: dict[str, Path] = {}
    for key, each in preset.inputs().items():
        wanted = name = _portable(each.path, folder)
        number = 2
        while owners.setdefault(name, each.path) != each.path:
            name, number = str(PurePath(wanted).with_stem(f"{PurePath(wanted).stem}-{number}")), number + 1
        names[key] = name
    return names


def _portable(path: Path, folder: Path | None) -> str:
    inside = package_path(path)
    if inside is not None:
        return inside
    below = folder is not None and path.is_relative_to(folder.resolve())
    name = path.relative_to(folder.resolve()).as_posix() if folder is not None and below else path.name
    # A folder that holds the preset is `.`; `./` keeps words such as `none`, and `~`, from meaning something else.
    plain = name not in ("none", "source", "song", "auto", "random") and not name.startswith(("~", "package:"))
    return (name or "input") if plain else f"./{name}"
