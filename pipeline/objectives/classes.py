"""The classes of ImageNet by name."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from pipeline.backbones import Recipe, find_head
from pipeline.errors import ModelError
from pipeline.nearest import nearest

_IMAGENET = 1000


@lru_cache
def class_names() -> tuple[str, ...]:
    """What the 1000 classes of ImageNet-1k are called, by index, such as `tabby, tabby cat`."""
    from timm.data.imagenet_info import ImageNetInfo

    info = ImageNetInfo()
    return tuple(info.index_to_description(index) for index in range(_IMAGENET))


@lru_cache
def _indices() -> dict[str, list[int]]:
    """Every name and every synonym, simplified, with the classes that bear it."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for index, description in enumerate(class_names()):
        for name in dict.fromkeys((description, *description.split(","))):
            if index not in found[_simple(name)]:
                found[_simple(name)].append(index)
    return dict(found)


def _simple(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


def named_classes(recipe: Recipe) -> tuple[str, ...]:
    """What a network's classes are called, by index. Raises ModelError for one that does not name ImageNet's."""
    classes = find_head(recipe).channels
    if classes != _IMAGENET:
        raise ModelError(f"{recipe.name} has {classes} classes, whose names are not known; use their indices")
    return class_names()


def class_index(recipe: Recipe, wanted: str | int) -> int:
    """The index of a class of the network, from its index or one of its ImageNet names.

    Raises ModelError naming the nearest classes, or both where two bear the name.
    """
    classes = find_head(recipe).channels
    if isinstance(wanted, int) or wanted.strip().isdecimal():
        index = int(wanted)
        if index >= classes:
            raise ModelError(f"is {index}, and {recipe.name} has {classes} classes; use 0 to {classes - 1}")
        return index
    if classes != _IMAGENET:
        raise ModelError(f"is {wanted!r}, but {recipe.name} has {classes} classes without names; give an index")
    found = _indices().get(_simple(wanted), [])
    if len(found) == 1:
        return found[0]
    if found:
        choices = " or ".join(f"{index} ({class_names()[index]})" for index in found)
        raise ModelError(f"is {wanted!r}, which is the name of several classes; use {choices}")
    raise ModelError(f"is {wanted!r}, and no class of ImageNet has that name{_near(_simple(wanted))}")


def _near(name: str) -> str:
    near = nearest(name, _indices(), most=3)
    near += [known for known in _indices() if name in known.split() and known not in near][: 3 - len(near)]
    return f"; near: {', '.join(near)}" if near else "; `dreamreel layers --classes` lists them"
