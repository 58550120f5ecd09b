"""Pictures of classes that are worth a print: one large thing, out of nothing, in the colours of photographs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.activity import report
from pipeline.dreamer import Dreamer
from pipeline.frame import Size, size_of
from pipeline.ops.natural import NaturalSpectrum
from pipeline.ops.spectrum import total_variation
from pipeline.ops.views import View, middle_first, relit, seen

_LEAST_SIDE = 32  # pixels: less than that tells nothing
_WHOLE = 256  # pixels of a picture that is looked at as a whole: about what networks are trained with
_BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class Print:
    """How to climb. `steps` are those of a picture of 512 pixels; larger ones take some more.

    First the coarse picture is seen small, then finer and larger, at the end with parts of it beside the whole. Every
    step averages views from far and near, turned by up to `degrees`, moved by `jitter` half sides and more the nearer
    they are, with colours varied by `tint` and `noise` (standard deviations), which fades to a fifth. `rate` is Adam's,
    and falls to three tenths; `variation` weighs total variation against the score of one view. `slopes` and `contrast`
    say what natural is (see `NaturalSpectrum`), `spread` how wide about the middle the first steps draw, and the
    picture is the mean of the last steps with weights that decay by `memory`.
    """

    steps: int = 300
    rate: float = 0.05
    slopes: tuple[float, float, float] = (1.4, 1.7, 1.7)
    contrast: float = 1.4
    start: float = 0.05
    degrees: float = 8.0
    jitter: float = 0.06
    tint: float = 0.05
    noise: float = 0.1
    variation: float = 50.0
    spread: float = 0.6
    memory: float = 0.93


@dataclass(frozen=True)
class _Look:
    """One way to look: at a picture drawn with `drawn` pixels a side, through views with these `sides`, at a share.

    `roam` says where views that show a part may look: 0 in the middle only, 1 as far as the edges.
    """

    drawn: int
    sides: tuple[int, ...]
    share: tuple[float, float]
    roam: float = 0.5


# One large thing is itself from far and from near, whole and in part; several small ones or scattered parts are not.
_FAR_AND_NEAR = (0.45, 1.3)
_COARSE = _Look(64, (112, 144, 112, 144), _FAR_AND_NEAR)
_FINER = _Look(112, (144, 192, 144, 192), _FAR_AND_NEAR)
_FINE = _Look(208, (176, 224, 176, 224), _FAR_AND_NEAR)
_BESIDE = _Look(208, (192, 224), (0.85, 1.1))


def draw_print(
    dreamer: Dreamer,
    size: Size,
    how: Print,
    generator: torch.Generator,
    on_step: Callable[[int], None] = lambda step: None,
) -> Tensor:
    """The picture (1, 3, H, W) in (0, 1) that raises the objective.

    The network sees views of about its own size only, so memory grows with the picture by some 200 bytes a pixel.
    Sources: Fel et al. 2023 (many views of a natural spectrum); Nguyen, Yosinski, Clune 2016 (the middle first).
    """
    natural = NaturalSpectrum(size, how.slopes, how.contrast, dreamer.device)
    spectrum = natural.noise(how.start, generator).requires_grad_()
    adam, mean = torch.optim.Adam([spectrum], betas=_BETAS), torch.zeros_like(spectrum)
    plan = list(_plan(size, how.steps))
    for step, looks in enumerate(plan):
        done = step / len(plan)
        adam.param_groups[0]["lr"] = how.rate * (1 - 0.7 * done)
        spectrum.grad = None
        for look in looks:
            _pull(spectrum, natural, dreamer, look, how, done, generator)
        adam.step()
        with torch.no_grad():
            natural.hold(spectrum)
            mean.lerp_(spectrum, 1 - how.memory)
        report("drawing", step + 1, len(plan))
        on_step(step)
    with torch.no_grad():
        mean /= 1 - how.memory ** len(plan)
        return natural.picture(mean, size)


def seen_size(size: Size) -> Size:
    """The size of the largest views of a picture of `size`, for which an engine is chosen.

    Example:
        >>> seen_size(Size(1024, 1024))
        Size(height=224, width=224)
    """
    return _of_side(size, max(_FINE.sides), _LEAST_SIDE)


def _plan(size: Size, steps: int) -> Iterator[tuple[_Look, ...]]:
    """What is looked at in each step: the whole, ever finer, then parts of it, by halves down to the pixels."""
    detail = math.ceil(steps * 0.2)
    for step in range(steps - detail):
        done = step / (steps - detail)
        yield (_COARSE if done < 0.3 else _FINER if done < 0.6 else _FINE,)
    side = math.sqrt(size.height * size.width)
    drawn = 2 * _WHOLE
    while drawn == 2 * _WHOLE or drawn < 2 * side:
        share = _WHOLE / drawn
        part = _Look(drawn, (192, 224), (share, 1.8 * share), roam=1)
        for _ in range(detail):
            yield (part, _BESIDE) if side > _WHOLE else (_BESIDE,)
        drawn *= 2


def _pull(
    spectrum: Tensor,
    natural: NaturalSpectrum,
    dreamer: Dreamer,
    look: _Look,
    how: Print,
    done: float,
    generator: torch.Generator,
) -> None:
    """Add to the spectrum's gradient what raises the objective in these views."""
    least = max(_LEAST_SIDE, dreamer.backbone.smallest_side)
    with torch.enable_grad():
        picture = natural.picture(spectrum, _at_most(natural.size, look.drawn))
        small = size_of(picture)
        leaf = picture.detach().requires_grad_()
        for side in look.sides:
            view = _view(leaf, look, _of_side(small, side, least), how, done, generator)
            _, uphill = dreamer.engine(view.detach(), dreamer.objective)
            torch.autograd.backward(view, -uphill)
        assert leaf.grad is not None
        wanted = leaf.grad * middle_first(small, how.spread * (1 + 2 * done), leaf.device)
        smooth = how.variation * len(look.sides) * math.sqrt(small.height * small.width) / 224
        torch.autograd.backward([picture, smooth * total_variation(picture)], [wanted, None])


def _view(picture: Tensor, look: _Look, size: Size, how: Print, done: float, generator: torch.Generator) -> Tensor:
    turn, near, x, y, *around = torch.rand(7, generator=generator, dtype=torch.float64).tolist()
    low, high = look.share
    share = low * (high / low) ** near
    room = look.roam * max(0.0, 1 - share) + how.jitter
    view = View(share, how.degrees * (2 * turn - 1), (room * (2 * x - 1), room * (2 * y - 1)))
    shown = seen(picture, view, size, picture.new_tensor(around))
    return relit(shown, how.tint, how.noise * (1 - 0.8 * done), generator)


def _at_most(size: Size, side: int) -> Size:
    """A size of the same shape whose middle side is `side`, no larger than `size`."""
    wanted = _of_side(size, side, _LEAST_SIDE)
    return Size(min(size.height, wanted.height), min(size.width, wanted.width))


def _of_side(size: Size, side: int, least: int) -> Size:
    """A size of the same shape whose middle side is `side`, and each at `least` so long."""
    scale = side / math.sqrt(size.height * size.width)
    return Size(*(max(least, round(length * scale)) for length in size))
