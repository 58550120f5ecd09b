"""Caricature and accentuation, as presets write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from pipeline.backbones import Backbone, Recipe
from pipeline.errors import ModelError
from pipeline.media.paths import MediaPath, NamesFile, absolute, from_here
from pipeline.objectives.caricature import Caricature, Keep, OwnCaricature, PictureScore, Usual
from pipeline.objectives.learnt import directions_for, learnt_from
from pipeline.objectives.scores import Objective
from pipeline.objectives.seen import picture_activations, picture_problems
from pipeline.objectives.terms import OnLayer

_NOW, _FIRST = "now", "first"
_WORDS = frozenset({_NOW, _FIRST})


def _absolute(text: str, info: ValidationInfo) -> str:
    return text if text in _WORDS else absolute(text, info)


_PictureKey = Annotated[
    str,
    BeforeValidator(lambda value: from_here(value, _WORDS)),
    Field(min_length=1, max_length=4096),
    AfterValidator(_absolute),
    NamesFile(_WORDS),
]


class PictureTerm(OnLayer):
    """One objective that compares the picture with one, by what a layer says of both."""

    usual: MediaPath | None = Field(
        None,
        description="what is nothing special: the pictures that a file of `dreamreel learn` comes from, of this layer; "
        "the mean over the picture itself if left out",
    )

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from (found := list(super().problems(recipe)))
        if found or self.usual is None:
            return
        try:
            of = directions_for(recipe, self.usual).layer
        except ModelError as error:
            yield "usual", str(error)
        else:
            if of != self.place(recipe):
                yield "usual", f"is {self.usual}, which is of {of}; set `layer: {of}`, or learn one of {self.layer}"

    def _file_problems(self, recipe: Recipe, key: str, text: str) -> Iterator[tuple[str, str]]:
        if text not in _WORDS:
            yield from ((key, said) for said in picture_problems(recipe, self.layer, text))

    def _usual(self, backbone: Backbone) -> Usual | None:
        learnt = None if self.usual is None else learnt_from(backbone, self.usual)
        return None if learnt is None else Usual(learnt.mean, learnt.deviation)

    def _of(self, score: PictureScore, text: str, backbone: Backbone) -> Objective:
        """The score, with the picture that the text names, if it names one."""
        return score if text == _FIRST else score.of(picture_activations(backbone, self.layer, text))


class CaricatureTerm(PictureTerm):
    """More of what is special in a picture, so that it becomes more like itself."""

    caricature: _PictureKey = Field(
        description="first: of the picture that the film begins with; now: of each frame as it is; or a picture's file"
    )
    focus: float = Field(
        1.0, ge=0, le=4, description="how much more the most special places count than others; 0: all alike"
    )

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from super().problems(recipe)
        yield from self._file_problems(recipe, "caricature", self.caricature)

    def build(self, backbone: Backbone) -> Objective:
        usual = self._usual(backbone)
        if self.caricature == _NOW:
            return OwnCaricature(self.layer, usual, self.focus)
        return self._of(Caricature(self.layer, usual, self.focus), self.caricature, backbone)


class KeepTerm(PictureTerm):
    """Staying near to a picture while other terms climb, so that they accentuate it (Hamblin et al. 2024)."""

    keep: _PictureKey = Field(description="first: the picture that the film begins with; or a picture's file")

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from super().problems(recipe)
        if self.keep == _NOW:
            yield "keep", "is now, which would keep what is there whatever it is; use first, or a picture's file"
        yield from self._file_problems(recipe, "keep", self.keep)

    def build(self, backbone: Backbone) -> Objective:
        return self._of(Keep(self.layer, self._usual(backbone)), self.keep, backbone)
