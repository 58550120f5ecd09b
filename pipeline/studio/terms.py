"""A layer or a channel, chosen by its picture, put into a preset's dream."""

from __future__ import annotations

from typing import Any

from pipeline.errors import PresetError, Problem
from pipeline.preset.editing import edit
from pipeline.preset.extends import EXTENDS
from pipeline.preset.scenes import SCENES
from pipeline.preset.yaml12 import read_document
from pipeline.studio.controls import head_of


def with_term(text: str, model: str, layer: str, channel: int | None) -> tuple[str, int]:
    """The text whose first dream has a layer, or one of its channels, as one of its terms; and the line of that.

    A term that is there already is taken out. Raises PresetError for a text without a dream, and as `edit` does.
    """
    data = read_document(text.encode(), "").data
    listed = data.get("stages") if isinstance(data, dict) else None
    stages = listed if isinstance(listed, list) else []
    dreams = [number for number, each in enumerate(stages) if isinstance(each, dict) and each.get("stage") == "dream"]
    if dreams:
        dream, head = stages[dreams[0]], head_of(stages, dreams[0])
    elif isinstance(data, dict) and EXTENDS in data:
        dream, head = {}, "dream"
    elif isinstance(data, dict) and SCENES in data:
        raise PresetError([Problem("", (), "is a film of scenes; choose the preset of one of them, or write it there")])
    else:
        raise PresetError([Problem("", (), "has no dream yet; add `- stage: dream` to its stages")])
    if str(dream.get("model", "lite0")) != model:
        text, _ = edit(text, f"{head}.model", model)
        dream = {key: value for key, value in dream.items() if key not in ("layer", "objective")}
    term: dict[str, Any] = {"layer": layer} | ({} if channel is None else {"channel": channel})
    terms = _terms(dream)
    there = [each for each in terms if _same(each, term)]
    terms = [each for each in terms if each not in there] if there else [*terms, term]
    alone = len(terms) == 1 and terms[0].keys() == {"layer"}
    text, _ = edit(text, f"{head}.{'objective' if alone or not terms else 'layer'}", None)
    if not terms:
        return edit(text, f"{head}.layer", None)
    return edit(text, f"{head}.layer", terms[0]["layer"]) if alone else edit(text, f"{head}.objective", terms)


def _terms(dream: dict[str, Any]) -> list[Any]:
    objective = dream.get("objective")
    if objective is None:
        return [{"layer": dream["layer"]}] if isinstance(dream.get("layer"), str) else []
    return list(objective) if isinstance(objective, list) else [objective]


def _same(one: Any, other: dict[str, Any]) -> bool:
    return isinstance(one, dict) and {key: one.get(key) for key in ("layer", "channel")} == {
        key: other.get(key) for key in ("layer", "channel")
    }
