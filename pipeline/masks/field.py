"""Masks as fields of a config: of one kind, or several joined; told apart by their key, or by a short word."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Annotated, Any, get_args

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, GetJsonSchemaHandler, Tag
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from torch import Tensor

from pipeline.by_key import ByKey
from pipeline.masks.kinds import (
    DetailMask,
    FilmMask,
    Found,
    FoundMask,
    ImageMask,
    LuminanceMask,
    RadialMask,
    SaliencyMask,
    SimpleMask,
)
from pipeline.nearest import did_you_mean

_MOST_MASKS, _DEEPEST = 32, 8
_SHORT = {"subject": "the thing that the picture is about", "background": "all around what the picture is about"}


class _Joined(BaseModel):
    """A mask made of others. Zadeh's (1965) minimum, maximum and complement.

    They keep what a product would not: a mask with itself is itself, edges are as soft as those that they come from,
    and `not` turns an `all` into an `any`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    @abstractmethod
    def parts(self) -> Iterator[tuple[str, Mask]]:
        """The masks it is made of, each with its key."""

    @abstractmethod
    def joined(self, masks: list[Tensor]) -> Tensor:
        """The mask (1, 1, H, W) in [0, 1] that those of its parts make."""

    def problems(self, on_sphere: bool = False) -> Iterator[tuple[str, str]]:
        """What is wrong with its parts, as (key, message)."""
        for place, part in self.parts:
            yield from ((f"{place}.{key}", message) for key, message in part.problems(on_sphere))


class AllMask(_Joined):
    """Where all of several masks are: at each place the darkest."""

    all: Parts = Field(description="masks, of which each place takes the least: [subject, {luminance: [0.3, 1]}]")

    @property
    def parts(self) -> Iterator[tuple[str, Mask]]:
        return ((f"all[{index}]", part) for index, part in enumerate(self.all))

    def joined(self, masks: list[Tensor]) -> Tensor:
        return reduce(torch.minimum, masks)


class AnyMask(_Joined):
    """Where any of several masks is: at each place the brightest."""

    any: Parts = Field(description="masks, of which each place takes the most: [{radial: 0.2}, {detail: 0.05}]")

    @property
    def parts(self) -> Iterator[tuple[str, Mask]]:
        return ((f"any[{index}]", part) for index, part in enumerate(self.any))

    def joined(self, masks: list[Tensor]) -> Tensor:
        return reduce(torch.maximum, masks)


class NotMask(_Joined):
    """Everywhere else."""

    not_: MaskField = Field(alias="not", description="the mask whose opposite it is")

    @property
    def parts(self) -> Iterator[tuple[str, Mask]]:
        yield "not", self.not_

    def joined(self, masks: list[Tensor]) -> Tensor:
        return 1 - masks[0]


Mask = SimpleMask | AllMask | AnyMask | NotMask
_BY_KEY = ByKey(
    {
        "image": ImageMask,
        "film": FilmMask,
        "radial": RadialMask,
        "luminance": LuminanceMask,
        "saliency": SaliencyMask,
        "detail": DetailMask,
        "find": FoundMask,
        "all": AllMask,
        "any": AnyMask,
        "not": NotMask,
    }
)


def simple_masks(mask: Mask, place: str = "") -> Iterator[tuple[str, SimpleMask]]:
    """The masks of one kind that a mask is made of, each with its key from there on; itself, with none, if it is one.

    Example:
        >>> mask = AnyMask.model_validate({'any': [{'radial': 0.1}, {'not': {'detail': 0.02}}]})
        >>> [place for place, _ in simple_masks(mask)]
        ['any[0]', 'any[1].not']
    """
    if isinstance(mask, _Joined):
        for key, part in mask.parts:
            yield from simple_masks(part, f"{place}.{key}" if place else key)
    else:
        yield place, mask


def joined(mask: Mask, drawn: Callable[[SimpleMask], Tensor]) -> Tensor:
    """The mask (1, 1, H, W) in [0, 1] that a mask is where those of one kind are what `drawn` says."""
    if isinstance(mask, _Joined):
        return mask.joined([joined(part, drawn) for _, part in mask.parts])
    return drawn(mask)


def _spelt_out(value: object) -> object:
    """The value as a mapping. Raises ValueError in words of its own: a discriminator's are pydantic's."""
    if isinstance(value, str):
        if value not in _SHORT:
            raise ValueError(
                f"must be {' or '.join(_SHORT)}{did_you_mean(value, _SHORT)}; or a "
                f"mapping with one of the keys {', '.join(_BY_KEY.keys)}"
            )
        return {"find": value}
    if sum(1 for _ in _within(value, 1)) > _MOST_MASKS:
        raise ValueError(f"is made of more than {_MOST_MASKS} masks; draw a picture of it, and use that")
    return _BY_KEY.checked(value)


def _within(value: object, depth: int) -> Iterator[object]:
    """The masks of one kind in what may become one, before anything goes down into it."""
    if depth > _DEEPEST:
        raise ValueError(f"holds masks within masks, more than {_DEEPEST} deep; write it flatter")
    inner = [part for key in ("all", "any") for part in _listed(value, key)] + _listed(value, "not", alone=True)
    for part in inner:
        yield from _within(part, depth + 1)
    if not inner:
        yield value


def _listed(value: object, key: str, *, alone: bool = False) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    if alone:
        return [] if found is None else [found]
    return list(found) if isinstance(found, list | tuple) else []


def _as_tuple(value: object) -> object:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("must be a list of masks, such as [subject, {luminance: [0.3, 1]}]")
    return tuple(value)


class _WithShortWords:
    """Adds the short words to the JSON schema, which a validator that stands before it hides."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        words = [{"type": "string", "const": word, "description": said} for word, said in _SHORT.items()]
        return {"anyOf": [*words, handler(schema)]}


MaskField = Annotated[
    Annotated[
        Annotated[ImageMask, Tag("ImageMask")]
        | Annotated[FilmMask, Tag("FilmMask")]
        | Annotated[RadialMask, Tag("RadialMask")]
        | Annotated[LuminanceMask, Tag("LuminanceMask")]
        | Annotated[SaliencyMask, Tag("SaliencyMask")]
        | Annotated[DetailMask, Tag("DetailMask")]
        | Annotated[FoundMask, Tag("FoundMask")]
        | Annotated[AllMask, Tag("AllMask")]
        | Annotated[AnyMask, Tag("AnyMask")]
        | Annotated[NotMask, Tag("NotMask")],
        Discriminator(_BY_KEY.tag),
    ],
    BeforeValidator(_spelt_out),
    _WithShortWords(),
]
"""One mask, told by its key; `subject` and `background` are short for `{find: subject}` and `{find: background}`."""
Parts = Annotated[tuple[MaskField, ...], BeforeValidator(_as_tuple)]
"""Those that an `all` or an `any` is made of."""

assert tuple(_SHORT) == get_args(Found)
for _kind in (AllMask, AnyMask, NotMask):
    _kind.model_rebuild()
