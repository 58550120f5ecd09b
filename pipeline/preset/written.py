"""A preset written out: every key with its value, as plain data and as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.preset.entries import entry_name
from pipeline.preset.scene import SCENE_WIDE
from pipeline.stages import Entry

if TYPE_CHECKING:
    from pipeline.preset.model import Preset


def plain_yaml(data: object) -> str:
    """Plain data as YAML, keys in their order."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def resolved(preset: Preset) -> dict[str, Any]:
    """Every key of a preset with its value, defaults written out, as plain data that loads again."""
    data = preset.model_dump(mode="json", exclude={"plugins", "stages", "changes"})
    if packages := preset.packages():
        data["plugins"] = {name: offer.requirement for name, offer in packages.items()}
    if preset.scenes:
        for key in (*SCENE_WIDE, *(("listen",) if preset.listen is None else ())):
            data.pop(key, None)
        data["scenes"] = [scene.resolved() for scene in preset.scenes]
    data["stages"] = [_plain_entry(stage) for stage in preset.stages]
    if preset.changes:
        data["changes"] = [change.model_dump(mode="json") for change in preset.changes]
    return data


def with_inputs(preset: Preset, texts: Mapping[str, str]) -> dict[str, Any]:
    """What `resolved` gives, with other texts for the inputs of these keys."""
    data, inputs = resolved(preset), preset.inputs()
    for key, text in texts.items():
        *above, last = inputs[key].place
        inner: Any = data
        for part in above:
            inner = inner[part]
        inner[last] = f"{inputs[key].prefix}{text}"
    return data


def _plain_entry(config: Entry) -> dict[str, Any]:
    return {"stage": entry_name(config)} | config.model_dump(mode="json", exclude_none=True, by_alias=True)
