"""Dreaming on a whole sphere: on views that cover it, put together again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.frame import size_of
from pipeline.ops.faces import Faces, join_faces, plan_faces, read_faces

_STEPS = 4  # that are taken in one set of views: where these overlap, they must not part too far

Climb = Callable[[Tensor, Tensor | None, Tensor | None, int], Tensor | None]
"""what so many steps add to a view, which is given with what there is of two fields in it"""


def climb_around(
    climb: Climb,
    picture: Tensor,
    fields: tuple[Tensor | None, Tensor | None],
    steps: int,
    generator: torch.Generator,
) -> Tensor | None:
    """What `steps` steps of a climb on views add to an equirectangular picture (1, 3, H, W); None where that is nothing.

    `fields` are (1, 1, H, W) in [0, 1] or None. Before each few steps the views are turned about the poles by an angle
    that is drawn, so that their borders never lie in one place.
    """
    faces, width = plan_faces(size_of(picture), picture.device), size_of(picture).width
    detail: Tensor | None = None
    for begun in range(0, steps, _STEPS):
        turn = int(torch.randint(width, (), generator=generator))
        start = picture if detail is None else picture + detail
        views = zip(*(_views(each, faces, turn) for each in (start, *fields)), strict=True)
        parts = [
            climb(view, first, second, min(_STEPS, steps - begun)) for view, first, second in views if view is not None
        ]
        added = [part for part in parts if part is not None]
        if not added:
            return None
        more = join_faces(added, faces).roll(-turn, 3)
        detail = more if detail is None else detail + more
    return detail


def _views(picture: Tensor | None, faces: Faces, turn: int) -> list[Tensor] | list[None]:
    if picture is None:
        return [None] * len(faces.views)
    return [view.clamp_(0, 1) for view in read_faces(picture.roll(turn, 3), faces)]
