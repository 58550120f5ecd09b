"""The flattened network under autograd: batch norms folded, channels last, in float32 or bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.backbones import Backbone
from pipeline.engines.base import Engine, EngineChoice, PrecisionName
from pipeline.engines.flat import FlatNetwork, Replay
from pipeline.frame import Size, size_of
from pipeline.objectives import Objective


class FoldedEngine(Engine):
    """Autograd through the folded operators. Raises UnsupportedNetwork when there are none."""

    def __init__(self, backbone: Backbone, precision: PrecisionName) -> None:
        self.choice = EngineChoice("folded", precision)
        self._flat = FlatNetwork(backbone, self.choice.dtype)
        self._replays: dict[Size, Replay] = {}

    def __call__(self, image: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        size = size_of(image)
        if size not in self._replays:
            self._replays[size] = Replay(self._flat.tape(size), self._flat.constant)
        leaf = image.detach().requires_grad_()
        with torch.enable_grad():
            activations = self._replays[size](self._flat.normalised(leaf))
            score = objective({name: value.float() for name, value in activations.items()})
            (gradient,) = torch.autograd.grad(score, leaf)
        return score.detach(), gradient.contiguous()

    def forget(self) -> None:
        self._replays.clear()
