"""What a layer says of many pictures: a sample of its activations, and where each was seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipeline.activity import report
from pipeline.backbones import Backbone, LayerInfo, find_layer
from pipeline.frame import Size, size_of
from pipeline.media.picture import read_picture
from pipeline.ops.warp import resize

_SIDES = (192, 288, 432)  # pixels: things are learnt in the sizes that octaves draw them in
_MOST_PIXELS = 1 << 21


@dataclass(frozen=True)
class Sample:
    """Activations (n, C) of a layer, and for each where it was seen (n, 4): picture, longer side, row, column."""

    vectors: Tensor
    places: Tensor


def sample_activations(backbone: Backbone, layer: str, pictures: Sequence[Path], most: int, seed: int) -> Sample:
    """What the layer says of places of the pictures, at most `most` of them, as many of each picture.

    Which places, the seed says; the edges of pictures, where a network sees its own padding, are left out. Raises
    MediaError for a picture that can't be read, or is too long and narrow.
    """
    info, generator = find_layer(backbone.recipe, layer), torch.Generator().manual_seed(seed)
    quota = max(1, most // (len(pictures) * len(_SIDES)))
    vectors, places = [], []
    for number, path in enumerate(pictures):
        report("looking at pictures", number, len(pictures))
        for side, view in views(path, info):
            with torch.no_grad():
                seen = backbone(view.to(backbone.device))[layer][0].cpu().float()
            inner = _inner(seen.shape[1], seen.shape[2])
            chosen = inner[torch.randperm(len(inner), generator=generator)[:quota]]
            vectors.append(seen[:, chosen[:, 0], chosen[:, 1]].T)
            places.append(torch.cat([torch.tensor([[number, side]]).expand(len(chosen), 2), chosen], 1))
    return Sample(torch.cat(vectors)[:most], torch.cat(places)[:most])


def views(path: Path, layer: LayerInfo) -> Iterator[tuple[int, Tensor]]:
    """A picture in several sizes (1, 3, H, W), each with its longer side in pixels; none is enlarged without need."""
    picture = read_picture(path)
    for side in _SIDES:
        if side == _SIDES[0] or side <= max(size_of(picture)):
            yield side, seen_at(picture, side, layer)


def seen_at(picture: Tensor, side: int, layer: LayerInfo) -> Tensor:
    """A picture (1, 3, H, W) at a longer side in pixels, or as much larger as the layer needs."""
    size = size_of(picture)
    scale = max(side / max(size), layer.smallest_side / min(size))
    return resize(picture, Size(round(size.height * scale), round(size.width * scale))).clamp(0, 1)


def _inner(rows: int, columns: int) -> Tensor:
    """The places (n, 2) of a map, without its edge where it is large enough."""
    top, left = int(rows > 4), int(columns > 4)
    grid = torch.meshgrid(torch.arange(top, rows - top), torch.arange(left, columns - left), indexing="ij")
    return torch.stack([axis.flatten() for axis in grid], 1)
