"""Terms about motifs that have numbers: channels of a layer, or directions that were learnt from pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from pipeline.backbones import Backbone, Recipe, find_layer
from pipeline.errors import ModelError
from pipeline.media.paths import MediaPath
from pipeline.objectives.learnt import Directions, directions_for, learnt_from
from pipeline.objectives.terms import BaseTerm, LayerName


class MotifTerm(BaseTerm):
    """One objective on a layer, or on the layer that a file of directions is of."""

    layer: LayerName | None = Field(None, description="the layer; `dreamreel layers` lists them")
    directions: MediaPath | None = Field(
        None, description="instead of `layer`: a file that `dreamreel learn` wrote, whose directions are meant"
    )
    elsewhere: ClassVar[bool] = False
    """whether it may have neither of the two, and reads the network's classes then"""

    @property
    def of_classes(self) -> bool:
        """Whether it is about the network's classes."""
        return self.elsewhere and self.layer is None and self.directions is None

    def place(self, recipe: Recipe) -> str:
        if self.directions is not None:
            return directions_for(recipe, self.directions).layer
        if self.layer is None:
            raise ModelError("is missing; name a layer, or a file of `directions`")
        return find_layer(recipe, self.layer).name

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        if self.directions is not None and self.layer is not None:
            yield "layer", "stands beside `directions`, and the file says which layer it is of; leave one of them out"
            return
        if self.of_classes:
            return
        try:
            self.place(recipe)
        except ModelError as error:
            yield "layer" if self.directions is None else "directions", str(error)

    def learnt(self, backbone: Backbone) -> Directions | None:
        """What the file holds, on the network's device; None where there is none. Raises ModelError."""
        return None if self.directions is None else learnt_from(backbone, self.directions)

    def number_problems(self, recipe: Recipe, numbers: Sequence[tuple[str, object]]) -> Iterator[tuple[str, str]]:
        """What is wrong with numbers of channels or directions, each with its key."""
        kind: Literal["directions", "channels"] = "channels" if self.directions is None else "directions"
        count = self.count(recipe)
        for key, number in numbers:
            if not isinstance(number, int):
                beside = "layer" if self.directions is None else "directions"
                yield key, f"is {number!r}; beside `{beside}` it must be the number of one of its {kind}"
            elif not 0 <= number < count:
                near = min(max(number, 0), count - 1)
                holder = self.place(recipe) if self.directions is None else self.directions
                yield key, f"is {number}, and {holder} has {kind} 0 to {count - 1}; the nearest is {near}"

    def count(self, recipe: Recipe) -> int:
        """How many channels or directions there are. Raises ModelError."""
        if self.directions is not None:
            return len(directions_for(recipe, self.directions))
        return find_layer(recipe, self.place(recipe)).channels
