"""An objective that travels by itself among the motifs of a layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.backbones import Backbone, find_layer
from pipeline.device import upload
from pipeline.frame import Size
from pipeline.objectives.choosing import Choosing
from pipeline.ops.warp import resize

_NOISES = 6
_NOISE_SIZE = 144, 256
_MOST_DEVIATIONS = 3.0
_TIRED = 6.0  # how far one that was just shown falls behind, in the Gumbel noise's units
_NEVER = -1e9
_TINY = 1e-12


class Usual(NamedTuple):
    """What a layer says of noise: its motifs' means and deviations (k,), and its mean square, a scalar."""

    mean: Tensor
    deviation: Tensor
    square: Tensor


@dataclass(frozen=True)
class Pace:
    """How a wander goes: `life` and `rest` in seconds, `whole` a factor, `suggested` in the Gumbel noise's units."""

    motifs: int
    life: float
    rest: float
    whole: float
    suggested: float
    seed: int


def usual_activations(backbone: Backbone, layer: str, directions: Tensor | None = None) -> Usual:
    """What the layer says of noise pictures, always the same ones; motifs are channels, or `directions` (k, C)."""
    side = find_layer(backbone.recipe, layer).smallest_side
    size = Size(max(_NOISE_SIZE[0], side), max(_NOISE_SIZE[1], side))
    generator = torch.Generator().manual_seed(0)
    seen = []
    with torch.no_grad():
        for _ in range(_NOISES):
            noise = resize(torch.rand(1, 3, size.height // 4, size.width // 4, generator=generator), size).clamp(0, 1)
            seen.append(backbone(noise.to(backbone.device))[layer][0].flatten(1).float())
    values = torch.cat(seen, 1)
    motifs = values if directions is None else directions @ values
    deviation = motifs.std(1)
    # A channel that is hardly ever awake must not shout.
    return Usual(motifs.mean(1), deviation.clamp_min(0.1 * float(deviation.mean()) + _TINY), values.square().mean())


class Wander(Choosing):
    """A few motifs of a layer at a time, each for a while, which swell and fade in turn.

    Motifs are channels, or directions (k, C).

    When one has had its time, the next is drawn: rather one that the picture suggests already, by how far its mean
    lies above what is usual, and rather none that was shown lately. Choices depend on the picture, the film's time
    and the seed alone, so the pace is the same at every frame rate. The whole layer counts a little, too.
    """

    def __init__(self, layer: str, pace: Pace, usual: Usual, directions: Tensor | None = None) -> None:
        super().__init__(layer)
        self._pace, self._usual, self._directions = pace, usual, directions
        device = usual.mean.device
        self._channels = torch.arange(pace.motifs, device=device)
        self._weights = torch.zeros(pace.motifs, device=device)
        self._square = usual.square.clone()
        self._seconds = 0.0
        self.forget()

    def forget(self) -> None:
        self._turns: list[int] | None = None
        self._shown = torch.full_like(self._usual.mean, _NEVER)

    def at(self, seconds: float) -> None:
        self._seconds = seconds
        weights = [math.sin(math.pi * (phase - math.floor(phase))) ** 2 for phase in self._phases()]
        self._weights.copy_(upload(torch.tensor(weights), self._weights.device))

    def _phases(self) -> list[float]:
        """How many motifs each place has shown by now, and how much of the present one."""
        count = self._pace.motifs
        return [self._seconds / self._pace.life + (place + 0.5) / count for place in range(count)]

    def _now(self) -> list[int]:
        return [math.floor(phase) for phase in self._phases()]

    @property
    def is_open(self) -> bool:
        return self._turns != self._now()

    def meet(self, activations: Mapping[str, Tensor]) -> None:
        if not self.is_open:
            return
        values = activations[self.layer][0].flatten(1).float()
        mean = values.mean(1) if self._directions is None else self._directions @ values.mean(1)
        suggested = (mean - self._usual.mean) / self._usual.deviation
        if self._turns is not None:
            self._shown.index_fill_(0, self._channels, self._seconds)
        now = self._now()
        for place, turn in enumerate(now):
            if self._turns is None or self._turns[place] != turn:
                self._channels[place] = self._drawn(suggested, place, turn)
                self._shown.index_fill_(0, self._channels[place : place + 1], self._seconds)
        self._turns = now
        self._square.copy_(values.square().mean())

    def _drawn(self, suggested: Tensor, place: int, turn: int) -> Tensor:
        """The next motif, a scalar that stays on its device: a graphics card is not waited for."""
        pace = self._pace
        liking = suggested.clamp(-_MOST_DEVIATIONS, _MOST_DEVIATIONS) / _MOST_DEVIATIONS * pace.suggested
        generator = torch.Generator().manual_seed((pace.seed * 1000003 + turn * 101 + place) % 2**63)
        chance = -torch.log(-torch.log(torch.rand(len(liking), generator=generator).clamp(1e-9, 1 - 1e-6)))
        since = self._seconds - self._shown
        score = liking + upload(chance, liking.device) - _TIRED * torch.exp(-since / pace.rest)
        return score.masked_fill(since <= 0, -math.inf).argmax()

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        activation = activations[self.layer]
        scale = (self._weights / self._usual.deviation.index_select(0, self._channels)).to(activation)
        if self._directions is None:
            means = activation.index_select(1, self._channels).mean((0, 2, 3))
        else:
            means = self._directions.index_select(0, self._channels).to(activation) @ activation.mean((0, 2, 3))
        motifs = (means * scale).sum()
        # The square is that of the picture last looked at: a tile's own would weigh each tile differently.
        return motifs + self._pace.whole * activation.square().mean() / self._square.clamp_min(_TINY).to(activation)

    def state_dict(self) -> dict[str, Tensor]:
        """What is shown, (motifs,) int64, and for which time; when each motif was last, (k,); the whole's scale."""
        if self._turns is None:
            return {}
        turns = torch.tensor(self._turns)
        return {"channels": self._channels, "turns": turns, "shown": self._shown, "square": self._square}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if state:
            self._channels.copy_(state["channels"])
            self._square.copy_(state["square"])
            self._turns, self._shown = state["turns"].tolist(), state["shown"].clone()
