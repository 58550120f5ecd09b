"""Dreaming on a whole sphere: on views that cover it, put together again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.frame import size_of
from pipeline.ops.faces import Faces, join_faces, plan_faces, read_faces

_STEPS = 4  # that are taken on one set of views: where these overlap, they must not part too far

Climb = Callable[[Tensor, Tensor | None, Tensor | None, int], Tensor | None]
"""what so many steps add to a picture, which is given with what there is of two fields in it"""


def seen_around(picture: Tensor) -> Tensor:
    """What a network sees of an equirectangular picture (1, C, H, W) in [0, 1]: views of it, (1, C, h, w)."""
    return _views(picture, plan_faces(size_of(picture), picture.device), 0)


def climb_around(
    climb: Climb,
    picture: Tensor,
    fields: tuple[Tensor | None, Tensor | None],
    steps: int,
    generator: torch.Generator,
) -> Tensor | None:
    """What `steps` steps of a climb on views add to an equirectangular picture (1, 3, H, W); None where it is nothing.

    `fields` are (1, 1, H, W) in [0, 1] or None. Before each few steps the views are turned about the poles by an angle
    that is drawn, so that their borders never lie in one place.
    """
    faces = plan_faces(size_of(picture), picture.device)
    detail: Tensor | None = None
    for begun in range(0, steps, _STEPS):
        turn = int(torch.randint(faces.size.width, (), generator=generator))
        start = picture if detail is None else picture + detail
        new, mask = (None if field is None else _views(field, faces, turn) for field in fields)
        added = climb(_views(start, faces, turn), new, mask, min(_STEPS, steps - begun))
        if added is None:
            break
        more = join_faces(added, faces).roll(-turn, 3)
        detail = more if detail is None else detail + more
    return detail


def _views(picture: Tensor, faces: Faces, turn: int) -> Tensor:
    return read_faces(picture.roll(turn, 3), faces).clamp_(0, 1)
