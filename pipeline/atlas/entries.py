"""What an atlas shows: one entry for every block of a network, or for every channel of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from pipeline.backbones import Recipe, find_layer, list_blocks
from pipeline.errors import ModelError
from pipeline.objectives import ChannelTerm, LayerTerm, Term


@dataclass(frozen=True)
class Entry:
    """One picture of an atlas: its label, and what it climbs towards."""

    label: str
    term: Term
    layer: str

    def yaml(self, model: str) -> str:
        """The dream stage that does this in a preset."""
        stage: dict[str, object] = {"stage": "dream"}
        stage |= {} if model == "lite0" else {"model": model}
        if isinstance(self.term, LayerTerm):
            stage["layer"] = self.layer
        else:
            stage["objective"] = self.term.model_dump(mode="json", exclude_defaults=True)
        return yaml.safe_dump([stage], sort_keys=False)


def block_entries(recipe: Recipe) -> list[Entry]:
    """One entry for every block, in the order they run."""
    return [
        Entry(layer.name, LayerTerm.model_validate({"layer": layer.name}), layer.name) for layer in list_blocks(recipe)
    ]


def channel_entries(recipe: Recipe, layer: str, channels: Sequence[int] | None = None) -> list[Entry]:
    """One entry for every channel of a layer, or for these. Raises ModelError for one that is not there."""
    count = find_layer(recipe, layer).channels
    wanted = range(count) if channels is None else channels
    for channel in wanted:
        if not 0 <= channel < count:
            raise ModelError(f"{layer} has channels 0 to {count - 1}, and {channel} is asked for")
    return [
        Entry(f"{layer}:{channel}", ChannelTerm.model_validate({"layer": layer, "channel": channel}), layer)
        for channel in wanted
    ]
