"""Tiles: the same gradient as in one piece, wherever they begin, within the memory given."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from pipeline import backbones
from pipeline.backbones import Backbone
from pipeline.engines import Engine, EngineChoice, TiledEngine, build_engine, memory_budget, parse_memory
from pipeline.frame import Size, size_of
from pipeline.objectives import LayerL2, Objective

CPU = torch.device("cpu")


def _tiled(model: str, layer: str, budget: int, precision: str = "float32") -> TiledEngine:
    backbone = backbones.load(model, [layer], CPU, "auto" if model == "lite0" else "random")
    return TiledEngine(build_engine(backbone, EngineChoice.parse(f"packed/{precision}")), backbone, budget)


def _picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def _cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten().double(), b.flatten().double(), 0))


@pytest.mark.parametrize(
    ("model", "layer", "megabytes", "cosine"),
    [("vgg16", "features.8", 30, 0.99), ("lite0", "blocks.2.0", 20, 0.99), ("googlenet", "inception3a", 20, 0.99)],
)
def test_tiles_give_the_gradient_of_the_whole(model: str, layer: str, megabytes: int, cosine: float) -> None:
    tiled, picture, objective = _tiled(model, layer, megabytes * 10**6), _picture(330, 407), LayerL2(layer)
    tile = tiled.tile_for(size_of(picture))
    assert tile is not None and tile.height * tile.width < 330 * 407
    _, whole = tiled.engine(picture, objective)
    generator = torch.Generator().manual_seed(3)
    for _ in range(2):
        tiled.before_step(generator)
        _, found = tiled(picture, objective)
        assert _cosine(whole, found) >= cosine


def test_a_halo_of_the_whole_field_is_exact() -> None:
    tiled, picture, objective = _tiled("vgg16", "features.8", 30 * 10**6), _picture(330, 407), LayerL2("features.8")
    tiled.halo = 24  # the layer's receptive field is 18 pixels
    _, whole = tiled.engine(picture, objective)
    _, found = tiled(picture, objective)
    assert _cosine(whole, found) >= 0.99999


def test_every_pixel_is_in_one_core_inside_its_tile() -> None:
    tiled = _tiled("lite0", "blocks.5.0", 10**6)
    for length in (300, 512, 1080, 1920, 2161):
        for budget in (10**7, 4 * 10**7, 10**8):
            tiled.budget = budget
            tile = tiled.tile_for(Size(length, length + 96))
            if tile is not None and tile.height < length:
                first, last = (list(tiled._spans(length, tile.height, start)) for start in (0.0, 0.999))
                assert first[0] != last[0]  # no seam lies in one place for ever
            for start in (0.0, 0.37, 0.999):
                if tile is None:
                    continue
                spans = list(tiled._spans(length, tile.height, start))
                assert spans[0][0] == 0 and spans[-1][1] == length
                assert all(before[1] == after[0] for before, after in pairwise(spans))
                assert all(row <= begin and end <= row + tile.height <= length for begin, end, row in spans)
                assert all(row % tiled.stride == 0 for _, _, row in spans)
                inside = [row for begin, _, row in spans if begin - row < tiled.halo and row > 0]
                assert not inside


def test_where_the_tiles_begin_is_drawn_anew() -> None:
    tiled, size = _tiled("lite0", "blocks.2.0", 20 * 10**6), Size(330, 407)
    tile = tiled.tile_for(size)
    assert tile is not None and tile.width < size.width
    generator, seams = torch.Generator().manual_seed(0), set()
    for _ in range(8):
        tiled.before_step(generator)
        seams.add(next(tiled._spans(size.width, tile.width, tiled._start[1]))[1])
    assert len(seams) > 1


def test_a_budget_that_is_too_little_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    tiled, picture = _tiled("lite0", "blocks.2.0", 10**6), _picture(200, 300)
    with caplog.at_level(logging.WARNING, "pipeline.engines"):
        for _ in range(2):
            tiled(picture, LayerL2("blocks.2.0"))
    assert caplog.text.count("memory of 1 MB is too little for 300x200, the smallest tiles of") == 1


def test_a_layer_that_sees_everything_is_told_to_differ(caplog: pytest.LogCaptureFixture) -> None:
    backbone = backbones.load("timm:efficientnet_b0", ["blocks.1.0"], CPU, "random")
    tiled = TiledEngine(build_engine(backbone, EngineChoice.parse("folded/float32")), backbone, 10**6)
    assert tiled.halo == 128
    with caplog.at_level(logging.WARNING, "pipeline.engines"):
        tiled(_picture(800, 800), LayerL2("blocks.1.0"))
    assert "is the whole picture or unknown" in caplog.text


def test_what_fits_is_not_tiled() -> None:
    tiled = _tiled("lite0", "blocks.2.0", 10**9)
    assert tiled.tile_for(Size(256, 256)) is None


class _Small(Engine):
    """An engine on a device with room for so many pixels."""

    choice = EngineChoice("reference", "float32")

    def __init__(self, backbone: Backbone, pixels: int) -> None:
        self._engine = build_engine(backbone, self.choice)
        self._pixels = pixels

    def __call__(self, image: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        if image.shape[2] * image.shape[3] > self._pixels:
            raise torch.OutOfMemoryError("no room")
        return self._engine(image, objective)


def test_running_out_of_memory_goes_on_in_tiles(caplog: pytest.LogCaptureFixture) -> None:
    backbone, objective = backbones.load("lite0", ["blocks.1.0"], CPU), LayerL2("blocks.1.0")
    picture = _picture(320, 352)
    tiled = TiledEngine(_Small(backbone, 40_000), backbone, 10**12)
    with caplog.at_level(logging.WARNING, "pipeline.engines"):
        _, found = tiled(picture, objective)
    assert "out of memory at 352x320: going on in tiles of" in caplog.text
    assert _cosine(build_engine(backbone, _Small.choice)(picture, objective)[1], found) >= 0.99
    with pytest.raises(torch.OutOfMemoryError):
        TiledEngine(_Small(backbone, 100), backbone, 10**12)(picture, objective)


def test_memory_is_an_amount_or_half_of_the_machine() -> None:
    assert (
        parse_memory("4GB") == 4 * 10**9 and parse_memory("1.5 gb") == 15 * 10**8 and parse_memory("800MB") == 8 * 10**8
    )
    assert memory_budget("4GB", CPU) == 4 * 10**9
    assert memory_budget("auto", CPU) > 10**8
    for wrong in ("4", "GB", "-1GB", "4TB", "0GB", "1.2.3GB"):
        with pytest.raises(ValueError, match="must be auto, or an amount"):
            parse_memory(wrong)
