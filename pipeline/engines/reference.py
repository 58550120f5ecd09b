"""The truth that the other engines are held to: the network itself, in float32, under autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.backbones import Backbone
from pipeline.engines.base import Engine, EngineChoice
from pipeline.objectives import Objective


class Reference(Engine):
    """Plain autograd through the backbone."""

    choice = EngineChoice("reference", "float32")

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    def __call__(self, image: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        leaf = image.detach().requires_grad_()
        with torch.enable_grad():
            score = objective(self._backbone(leaf))
            (gradient,) = torch.autograd.grad(score, leaf)
        return score.detach(), gradient
