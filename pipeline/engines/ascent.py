"""Gradient ascent: jitter, gradient, smoothing, normalised update; on one octave, or from coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from pipeline.activity import report
from pipeline.engines.base import Engine
from pipeline.engines.plan import Climb, draw_shifts
from pipeline.frame import Size, size_of
from pipeline.objectives import Objective
from pipeline.ops.gradient import laplacian_normalised, smooth, step_along
from pipeline.ops.warp import resize

ACTIVITY = "dreaming"
"""What is reported while a picture climbs, in pixels times steps."""


def climb(
    engine: Engine,
    objective: Objective,
    image: Tensor,
    how: Climb,
    generator: torch.Generator,
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """A picture (1, 3, H, W) in [0, 1] after `how.steps` steps that raise the objective; the one given stays.

    The picture stays rolled between steps and is smoothed so: the seam of the roll lies elsewhere each time.
    """
    whole = engine.climb_whole(image, objective, how, generator)
    if whole is not None:
        return whole
    image, (top, left) = image.clone(memory_format=torch.contiguous_format), (0, 0)
    for dy, dx in draw_shifts(how, generator).tolist():
        image, (top, left) = image.roll((dy - top, dx - left), (2, 3)), (dy, dx)
        engine.before_step(generator)
        _, gradient = engine(image, objective)
        gradient = laplacian_normalised(gradient) if how.laplacian else gradient
        length = how.step_size.roll((dy, dx), (2, 3)) if isinstance(how.step_size, Tensor) else how.step_size
        step_along(image, gradient if how.kernel is None else smooth(gradient, how.kernel), length)
        on_step()
    return image.roll((-top, -left), (2, 3))


def climb_octaves(
    engine: Engine,
    objective: Objective,
    picture: Tensor,
    octaves: Iterable[tuple[Size, Climb]],
    generator: torch.Generator,
) -> Tensor | None:
    """What climbs at several sizes, coarse to fine, add to a picture (1, 3, H, W); None when there are no octaves.

    Each octave begins with the picture and what the coarser ones added. The picture itself is never enlarged again.
    """
    detail: Tensor | None = None
    ladder = list(octaves)
    done, total = 0, sum(size.height * size.width * how.steps for size, how in ladder)

    def on_step() -> None:
        nonlocal done
        done += pixels
        report(ACTIVITY, done, total)

    report(ACTIVITY, 0, total)
    for size, how in ladder:
        pixels = size.height * size.width
        base = resize(picture, size)
        start = base if detail is None else base + resize(detail, size)
        detail = climb(engine, objective, start, how, generator, on_step).sub_(base)
    return None if detail is None else resize(detail, size_of(picture))
