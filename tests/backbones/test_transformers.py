"""Vision transformers of timm: their tokens as pictures, at any size, with numbers out of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline import backbones
from pipeline.backbones import find_features, find_head, find_layer, find_recipe, list_layers
from pipeline.engines import Climb, EngineChoice, build_engine, climb
from pipeline.engines.base import EngineName
from pipeline.engines.folded import FoldedEngine
from pipeline.engines.reference import Reference
from pipeline.errors import ModelError, PresetError
from pipeline.frame import Size
from pipeline.media.picture import fit_to, read_picture
from pipeline.objectives import LayerL2
from pipeline.preset import parse_preset
from tests.conftest import photograph

CPU = torch.device("cpu")
TINY, LAYER = "timm:vit_tiny_patch16_224", "blocks.2.picture"
TOWERS = (
    TINY,
    "timm:vit_small_patch16_224.dino",
    "timm:vit_small_patch14_reg4_dinov2",
    "timm:vit_small_patch16_dinov3",
    "timm:vit_base_patch32_clip_224.openai",
    "timm:vit_tiny_r_s16_p8_224",  # convolutions first
)


def cat(size: Size) -> Tensor:
    return fit_to(read_picture(photograph("chelsea.png")), size, "crop")


def numbers(name: str) -> dict[str, Tensor]:
    torch.manual_seed(1)
    state: dict[str, Tensor] = timm.create_model(name, pretrained=False).state_dict()
    return {key: value + 0.02 * torch.randn(value.shape) for key, value in state.items()}


@pytest.mark.parametrize("model", TOWERS)
def test_every_block_is_a_picture_at_any_size(model: str) -> None:
    layers = {layer.name: layer for layer in list_layers(find_recipe(model))}
    assert LAYER in layers and not any("attn" in name for name in layers)
    backbone = backbones.load(model, [LAYER], CPU, "random")
    patch: Any = backbone.network.patch_embed
    for size in (Size(64, 96), Size(75, 50)):
        frame = cat(size).requires_grad_()
        seen = backbone(frame)[LAYER]
        rows, columns = (-(-side // patch.feat_ratio()) for side in size)
        assert seen.shape == (1, layers[LAYER].channels, rows, columns)
        (gradient,) = torch.autograd.grad(seen.square().mean(), frame)
        assert bool(gradient.isfinite().all()) and bool((gradient.abs().sum((0, 1, 2)) > 0).all())


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"])
@torch.no_grad()
def test_they_say_what_timm_s_own_say(name: str, tmp_path: Path) -> None:
    torch.save(numbers(name), tmp_path / "own.pth")
    own: Any = timm.create_model(name, pretrained=False, dynamic_img_size=True).eval()
    own.load_state_dict(torch.load(tmp_path / "own.pth", weights_only=True))
    backbone = backbones.load(f"timm:{name}", [LAYER, "blocks.0.picture"], CPU, str(tmp_path / "own.pth"))
    side = find_layer(find_recipe(f"timm:{name}"), LAYER).stride
    frame = cat(Size(4 * side, 6 * side))
    first, third = own.forward_intermediates(
        (frame - backbone.mean) / backbone.std, indices=[0, 2], norm=False, intermediates_only=True
    )
    seen = backbone(frame)
    assert torch.allclose(seen["blocks.0.picture"], first, atol=1e-5)
    assert torch.allclose(seen[LAYER], third, atol=1e-5) and float(third.std()) > 0.01


@pytest.mark.parametrize("prefix", ["", "module.", "visual.", "backbone.", "module.backbone.", "visual.trunk."])
@torch.no_grad()
def test_prefixes_and_wrappers_are_taken_away(prefix: str, tmp_path: Path) -> None:
    state = {f"{prefix}{key}": value for key, value in numbers("vit_tiny_patch16_224").items()}
    torch.save({"teacher": state | {"logit_scale": torch.ones(())}}, tmp_path / "a.pth")
    save_file(state, tmp_path / "b.safetensors")
    torch.save(numbers("vit_tiny_patch16_224"), tmp_path / "plain.pth")
    found = [
        backbones.load(TINY, [LAYER], CPU, str(tmp_path / name))(cat(Size(64, 64)))[LAYER]
        for name in ("plain.pth", "a.pth", "b.safetensors")
    ]
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_position_embeddings_of_another_size_are_told(tmp_path: Path) -> None:
    torch.save(numbers("vit_tiny_patch16_384"), tmp_path / "large.pth")
    with pytest.raises(ModelError, match=r"does not fit.*pos_embed is \(1, 577, 192\), must be \(1, 197, 192\)"):
        backbones.load(TINY, [LAYER], CPU, str(tmp_path / "large.pth"))


def test_a_climb_climbs_and_engines_agree() -> None:
    backbone, objective, frame = backbones.load(TINY, [LAYER], CPU, "random"), LayerL2(LAYER), cat(Size(64, 96))
    how = Climb(4, 0.01, 0, None)
    plain, folded = (
        climb(engine, objective, frame, how, torch.Generator().manual_seed(1))
        for engine in (Reference(backbone), FoldedEngine(backbone, "float32"))
    )
    assert torch.allclose(plain, folded, atol=1e-3)
    with torch.no_grad():
        before, after = (float(objective(backbone(each))) for each in (frame, plain))
    assert after > 1.05 * before


@pytest.mark.parametrize(
    ("model", "keys", "words"),
    [
        ("vit_small_patch16_224.dino", "objective: {class: 5}", "does not name classes"),
        ("vit_tiny_patch16_224", "objective: {nearest: [tabby]}", "knows its classes by the whole picture alone"),
        ("vit_tiny_patch16_224", "layer: blocks.2", r"has no layer 'blocks\.2'; near: blocks\.2\.picture"),
        ("swin_tiny_patch4_window7_224", "layer: layers.0", "does not take pictures of any size"),
    ],
)
def test_what_does_not_go_is_told(model: str, keys: str, words: str) -> None:
    text = f"stages: [{{stage: noise}}, {{stage: dream, model: timm:{model}, weights: random, {keys}}}]"
    with pytest.raises(PresetError, match=words):
        parse_preset(text)


def test_a_supervised_one_names_classes() -> None:
    assert find_head(find_recipe(TINY)).channels == 1000
    with pytest.raises(ModelError, match="by the whole picture alone"):
        find_features(find_recipe(TINY))


@pytest.mark.parametrize("engine", ["folded", "packed"])
@pytest.mark.parametrize("model", [TINY, "timm:vit_small_patch16_dinov3"])
def test_it_dreams_in_bfloat16(model: str, engine: EngineName) -> None:
    """What resizes position embeddings has no such form on the CPU; rotary ones come as float32 tables."""
    backbone = backbones.load(model, [LAYER], CPU, "random")
    found = build_engine(backbone, EngineChoice(engine, "bfloat16"))
    assert found.choice.engine == engine
    (_, exact), (_, gradient) = (each(cat(Size(96, 64)), LayerL2(LAYER)) for each in (Reference(backbone), found))
    assert torch.cosine_similarity(exact.flatten(), gradient.flatten(), 0) > 0.95


def test_convolutions_before_it_leave_its_patches_where_they_are() -> None:
    """Their weights are standardised in each pass, which hides them from what follows strides."""
    layer = find_layer(find_recipe("timm:vit_small_r26_s32_224"), LAYER)
    assert (layer.stride, layer.receptive_field) == (32, None)
