"""Gradients of pictures too large for memory, tile by tile."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from copy import copy
from itertools import pairwise

import torch
from torch import Tensor

from pipeline.backbones import Backbone, find_layer
from pipeline.backbones.tape import Node, Tape, UnsupportedNetwork
from pipeline.engines.base import Engine, EngineChoice, log
from pipeline.engines.flat import fold_batch_norms
from pipeline.engines.plan import Climb
from pipeline.errors import DeviceError
from pipeline.frame import Size, size_of
from pipeline.objectives import Objective

# A pixel's gradient comes through activations up to half a receptive field away, each of which sees as far again.
# What lies far out counts little (Luo et al. 2016, effective receptive fields). With this share of the field on each
# side (64 pixels) EfficientNet-Lite0's gradient at blocks.5.0 has a cosine to the untiled one of 0.97 to 0.987 in the
# smallest tiles, of 384 pixels, and of 0.989 and more in tiles of 576; dreams in tiles of 288x512 reached 0.9987 to
# 1.002 of the untiled score, without a seam. Small fields are used to a larger share, and cost little.
_HALO_SHARE = 0.15
_SMALLEST_HALO = 32
_LARGEST_HALO = 128
_MEASURED_SIDE = 256
_IMAGE_BYTES = 5 * 3 * 4  # the picture, its rolled copy, the gradient and its smoothed copy, the network's input
_SLACK = 1.25  # the gradients on their way back, and gaps between blocks of memory
_SMALLEST_CORE = 4  # halos: smaller tiles compute their surroundings more than twice as often as themselves


class TiledEngine(Engine):
    """Hands an engine the whole picture while that fits into `budget` bytes, and tiles when it does not.

    Without a budget it never tiles: for scores that a part of the picture does not share.

    Tiles are of one size, overlap by a halo, and start at multiples of the network's stride, so that their
    gradients are the whole picture's up to what the halo leaves out, and one common factor.
    """

    def __init__(self, engine: Engine, backbone: Backbone, budget: int | None) -> None:
        self.engine, self.choice = engine, engine.choice
        self.budget = budget
        layers = [find_layer(backbone.recipe, name) for name in backbone.layers]
        fields = [layer.receptive_field for layer in layers]
        self._sees_all = None in fields
        self.stride = max(layer.stride for layer in layers)
        self.halo = self._whole(max(map(_halo, fields)))
        self._smallest = self._whole(backbone.smallest_side)
        self._bytes_per_pixel = bytes_per_pixel(backbone, engine.choice)
        self._start = (0.5, 0.5)
        self._told: set[Size] = set()

    def with_budget(self, budget: int | None) -> TiledEngine:
        other = copy(self)
        other.budget, other._told = budget, set()
        return other

    def forget(self) -> None:
        self.engine.forget()

    def fingerprints(self) -> dict[str, str]:
        return self.engine.fingerprints()

    def climb_whole(self, image: Tensor, objective: Objective, how: Climb, generator: torch.Generator) -> Tensor | None:
        if self.tile_for(size_of(image)) is not None:
            return None
        start = generator.get_state()
        try:
            climbed = self.engine.climb_whole(image, objective, how, generator)
        except torch.OutOfMemoryError as error:
            self.shrink(size_of(image), None, error)
            generator.set_state(start)
            return None
        if climbed is not None:  # what comes next is shifted as it would be after so many single steps
            for _ in range(how.steps):
                self.before_step(generator)
        return climbed

    def before_step(self, generator: torch.Generator) -> None:
        """Draw where the step's tiles begin, so that their seams never lie in one place."""
        top, left = torch.rand(2, generator=generator).tolist()
        self._start = (top, left)

    def __call__(self, image: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        while True:
            tile = self.tile_for(size_of(image))
            try:
                if tile is None:
                    return self.engine(image, objective)
                self._warn(size_of(image), tile)
                return self._tiled(image, objective, tile)
            except torch.OutOfMemoryError as error:
                self.shrink(size_of(image), tile, error)

    def shrink(self, size: Size, tile: Size | None, error: torch.OutOfMemoryError) -> None:
        """Have tiles take half of what ran out, at most; raise the error again when tiles can't be smaller.

        Raises DeviceError where there must be none.
        """
        if self.budget is None:
            raise DeviceError(
                f"out of memory at {size}: class logits and neurons need the whole picture at once; "
                "use a smaller `size` or a layer's or channel's objective"
            ) from error
        used = size if tile is None else tile
        self.budget = (self._needed(size, used) + self._needed(size, Size(0, 0))) // 2
        if self.tile_for(size) == tile:
            raise error
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        log.warning("out of memory at %s: going on in tiles of %s", used, self.tile_for(size))

    def _needed(self, size: Size, tile: Size) -> int:
        """Bytes that a step on a picture takes, in tiles of a size; the picture itself is one as well."""
        kept = self._bytes_per_pixel - _IMAGE_BYTES
        return int(size.height * size.width * _IMAGE_BYTES + tile.height * tile.width * kept)

    def _warn(self, size: Size, tile: Size) -> None:
        """Say once for each size what tiles can't do."""
        if size in self._told or self.budget is None:
            return
        self._told.add(size)
        needed = self._needed(size, tile)
        if needed > self.budget:
            log.warning(
                "memory of %.0f MB is too little for %s, the smallest tiles of %s take about %.0f MB; "
                "allow more, or use a smaller size",
                *(self.budget / 1e6, size, tile, needed / 1e6),
            )
        if self._sees_all:
            log.warning(
                "a layer's receptive field is the whole picture or unknown: dreams in tiles of %s differ from whole "
                "ones; allow more memory, or use another network",
                tile,
            )

    def tile_for(self, size: Size) -> Size | None:
        """The size of the tiles, halos included, for a picture; None when it fits whole.

        Of those that fit it is the one with the least to compute; the smallest possible one where none does.
        """
        if self.budget is None or self._needed(size, size) <= self.budget:
            return None
        rows, columns = self._sides(size.height), self._sides(size.width)
        grids = [(down * across, Size(high, wide)) for down, high in rows for across, wide in columns]
        fitting = [(count * math.prod(tile), tile) for count, tile in grids if self._needed(size, tile) <= self.budget]
        return min(fitting)[-1] if fitting else Size(rows[-1][1], columns[-1][1])

    def _sides(self, length: int) -> list[tuple[int, int]]:
        """For one side of a picture: counts of tiles, from one on, and how long each tile must be for that."""
        sides = [(1, length)]
        least = max(self._smallest, (2 + _SMALLEST_CORE) * self.halo)
        for count in range(2, length // self.stride + 2):
            # A stride more than it takes to cover the length is room to move the tiles about.
            core = self._whole((length - 2 * self.halo + self.stride) / count)
            side = length - (length - max(least, core + 2 * self.halo)) // self.stride * self.stride
            if side < sides[-1][1]:
                sides.append((count, side))
        return sides

    def _whole(self, pixels: float) -> int:
        return -int(-pixels // self.stride) * self.stride

    def _tiled(self, image: Tensor, objective: Objective, tile: Size) -> tuple[Tensor, Tensor]:
        size = size_of(image)
        gradient, score = torch.empty_like(image), image.new_zeros(())
        for top, bottom, row in self._spans(size.height, tile.height, self._start[0]):
            for left, right, column in self._spans(size.width, tile.width, self._start[1]):
                window = image[:, :, row : row + tile.height, column : column + tile.width]
                part, found = self.engine(window.contiguous(), objective)
                core = found[:, :, top - row : bottom - row, left - column : right - column]
                gradient[:, :, top:bottom, left:right] = core
                score += part * ((bottom - top) * (right - left) / (size.height * size.width))
        return score, gradient

    def _spans(self, length: int, tile: int, start: float) -> Iterator[tuple[int, int, int]]:
        """Along one side: first and end pixel of each core, and the first pixel of the tile around it."""
        if tile >= length:
            yield 0, length, 0
            return
        core = (tile - 2 * self.halo) // self.stride * self.stride
        # As few tiles as cover the side and a stride more: what they have to spare is where they may begin.
        count = max(2, -(-(length - 2 * self.halo + self.stride) // core))
        spare = (count * core + 2 * self.halo - length) // self.stride
        first = core + self.halo - int(start * (spare + 1)) * self.stride
        edges = [0, *(first + core * index for index in range(count - 1)), length]
        last = length - tile
        for begin, end in pairwise(edge for edge in edges if edge <= length):
            if begin < end:
                yield begin, end, min(max(0, begin - self.halo), last)


def _halo(field: int | None) -> float:
    """Pixels around a tile that its core needs, for a layer's receptive field; None where that is not known."""
    if field is None:
        return _LARGEST_HALO
    return min(_LARGEST_HALO, max(field * _HALO_SHARE, min(field / 2, _SMALLEST_HALO)))


def bytes_per_pixel(backbone: Backbone, choice: EngineChoice) -> float:
    """What a gradient step takes in memory, per pixel of the picture, counted from the network's activations."""
    side = max(_MEASURED_SIDE, backbone.smallest_side)
    try:
        tape = backbone.record(Size(side, side))
    except UnsupportedNetwork:
        return 2000.0  # about what the classics take
    if choice.engine != "reference":
        tape = fold_batch_norms(tape)
    kept = sum(_bytes(node, tape, choice.dtype) for node in tape.nodes)
    return _SLACK * kept / side**2 + _IMAGE_BYTES


def _bytes(node: Node, tape: Tape, dtype: torch.dtype) -> int:
    """What an operator's results take; a max-pool's second one says in 64 bits where each maximum was."""
    sizes = [torch.Size(tape.shapes[value]).numel() for value in node.outputs]
    return sizes[0] * dtype.itemsize + sum(sizes[1:]) * torch.int64.itemsize


def memory_budget(memory: str, device: torch.device) -> int:
    """Bytes that a gradient step may take: `auto`, half of what the machine or the device has; or such as `4GB`.

    Half of the whole, not of what is free now, so that a film renders the same way again; in whole megabytes, which
    `memory_text` can write down.
    """
    if memory != "auto":
        return parse_memory(memory)
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // 2 // 10**6 * 10**6
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 // 10**6 * 10**6
    except (AttributeError, OSError, ValueError):  # not every system tells
        return 4 * 10**9


def memory_text(budget: int) -> str:
    """A budget of whole megabytes as presets write it."""
    return f"{budget // 10**6}MB"


def parse_memory(text: str) -> int:
    """Bytes of `4GB` or `800MB`. Raises ValueError for anything else."""
    units = {"GB": 10**9, "MB": 10**6}
    number, unit = text[:-2].strip(), text[-2:].upper()
    if unit not in units or not number.replace(".", "", 1).isdecimal() or float(number) <= 0:
        raise ValueError("must be auto, or an amount such as 4GB or 800MB")
    return int(float(number) * units[unit])
