"""Scores that hold a picture against a picture: more of what is special in it, or staying near to it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.objectives.choosing import Choosing
from pipeline.objectives.scores import OneLayer

_MOST_FEATURES = 4096
_BLOCK = 4096  # places compared with the picture's at a time, so that large frames fit into memory
_ORDINARY = 1.0  # deviations: what lies nearer to the usual is nothing special
_QUIETEST = 0.1  # of the mean deviation: a channel that is hardly ever awake must not shout


class Usual(NamedTuple):
    """What is nothing special: channels' means and deviations (C,)."""

    mean: Tensor
    deviation: Tensor

    def special(self, places: Tensor) -> Tensor:
        """Activations (C, n) in deviations from what is usual."""
        return (places - self.mean.to(places)[:, None]) / self.deviation.to(places)[:, None]


def usual_of(places: Tensor) -> Usual:
    """What is usual among places (C, n) of one picture."""
    deviation = places.std(1)
    return Usual(places.mean(1), deviation.clamp_min(_QUIETEST * deviation.mean() + 1e-12))


def exaggeration(special: Tensor, like: Tensor, focus: float) -> Tensor:
    """How far places (C, n) go the way that others (C, n) are special, all in deviations; a scalar.

    What lies within one deviation is nothing special. The most special places count more, by `focus`. It is squared, so
    that what grows already grows faster and motifs become whole; a plain dot product draws noise.
    """
    special, like = _beyond(special), _beyond(like)
    along = (special * F.normalize(like, dim=0)).sum(0).clamp_min(0)
    return (along.square() * like.square().mean(0) ** focus).mean() / len(special)


def _beyond(deviations: Tensor) -> Tensor:
    return deviations.sign() * (deviations.abs() - _ORDINARY).clamp_min(0)


class OwnCaricature(OneLayer):
    """More of whatever is special at each place of the picture as it is now."""

    def __init__(self, layer: str, usual: Usual | None, focus: float) -> None:
        super().__init__(layer)
        self._usual, self._focus = usual, focus

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        places = activations[self.layer][0].flatten(1)
        usual = usual_of(places.detach()) if self._usual is None else self._usual
        special = usual.special(places)
        return exaggeration(special, special.detach(), self._focus)


class PictureScore(Choosing):
    """A score that compares each place with the place of a picture that it resembles most.

    So it goes along with a camera that moves, with jitter and tiles. The picture is the one the dream begins with,
    unless another is given by `of`.
    """

    def __init__(self, layer: str, usual: Usual | None) -> None:
        super().__init__(layer)
        self._given, self._waits, self._settled = usual, True, False
        self._features: Tensor | None = None
        self._usual: Usual | None = usual

    @property
    def is_open(self) -> bool:
        return self._waits

    def meet(self, activations: Mapping[str, Tensor]) -> None:
        if self._waits:
            places = activations[self.layer][0].flatten(1).float()
            usual = usual_of(places) if self._given is None else self._given
            self._take(usual.special(places[:, :: -(-places.shape[1] // _MOST_FEATURES)]), usual)

    def of(self, activations: Mapping[str, Tensor]) -> PictureScore:
        """Itself, for good held against the picture with these activations."""
        self.meet(activations)
        self._settled = True
        return self

    def _take(self, features: Tensor, usual: Usual) -> None:
        """Keep features (C, n), in place where there are as many: an objective in a CUDA graph follows."""
        if self._features is None or self._usual is None or self._features.shape != features.shape:
            self._features, self._usual = features.clone(), Usual(usual.mean.clone(), usual.deviation.clone())
        else:
            self._features.copy_(features)
            self._usual.mean.copy_(usual.mean)
            self._usual.deviation.copy_(usual.deviation)
        self._waits = False

    def forget(self) -> None:
        self._waits = not self._settled

    def state_dict(self) -> dict[str, Tensor]:
        """The picture's features (C, n), in deviations (C,) from the mean (C,)."""
        if self._waits or self._settled or self._features is None or self._usual is None:
            return {}
        return {"features": self._features, "mean": self._usual.mean, "deviation": self._usual.deviation}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if state:
            self._take(state["features"], Usual(state["mean"], state["deviation"]))

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        places = activations[self.layer][0].flatten(1)
        # Before the picture is known an engine may be tried out: the places themselves take as long.
        usual = usual_of(places.detach()) if self._usual is None else self._usual
        special = usual.special(places)
        features = special.detach() if self._features is None else self._features.to(special)
        return self._score(special, features[:, _nearest(special, features)])

    @abstractmethod
    def _score(self, special: Tensor, like: Tensor) -> Tensor:
        """The score of places (C, n), each beside the one that it is like."""


@torch.no_grad()
def _nearest(places: Tensor, features: Tensor) -> Tensor:
    """Which of the features (C, m) each place (C, n) has the largest cosine with: (n,)."""
    directions = F.normalize(features, dim=0).T
    return torch.cat([(directions @ block).argmax(0) for block in torch.split(places, _BLOCK, 1)])


class Caricature(PictureScore):
    """More of what is special in a picture (as the "caricatures" of Olah et al. 2020, squared)."""

    def __init__(self, layer: str, usual: Usual | None, focus: float) -> None:
        super().__init__(layer, usual)
        self._focus = focus

    def _score(self, special: Tensor, like: Tensor) -> Tensor:
        return exaggeration(special, like, self._focus)


class Keep(PictureScore):
    """Staying near to a picture while other terms climb: minus the squared distance (Hamblin et al. 2024)."""

    def _score(self, special: Tensor, like: Tensor) -> Tensor:
        return -(special - like).square().mean()
