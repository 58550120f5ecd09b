"""Vision transformers as networks that are dreamt with: their tokens, put back where they came from."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from pipeline.ops.border import fill_up

PICTURE = "picture"
"""What the layer of a block is called: `blocks.5.picture`."""


class _Grid:
    """How many patches the picture that goes through has, down and across; and how many tokens stand before them."""

    def __init__(self, prefixes: int) -> None:
        self.prefixes, self.size = prefixes, (0, 0)

    def note(self, _embed: nn.Module, _inputs: object, patches: Tensor) -> None:
        """A hook: `patches` are (1, h, w, C)."""
        self.size = patches.shape[1], patches.shape[2]


class Tokens(nn.Module):
    """Tokens (1, N, C) as a picture (1, C, h, w), one pixel for each patch; those that stand for no place go."""

    def __init__(self, grid: _Grid) -> None:
        super().__init__()
        self._grid = grid

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, self._grid.prefixes :].transpose(1, 2).reshape(1, -1, *self._grid.size)


def is_transformer(network: nn.Module) -> bool:
    """Whether it is one whose every block gives a token for each patch: DINO's, CLIP's and their like."""
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer

    return isinstance(network, VisionTransformer | Eva)


def with_pictures(network: Any) -> nn.Module:
    """The transformer, which must take pictures of any size, with a layer `blocks.N.picture` for each block.

    Such a layer has no numbers, so that the names of all others stay. A picture that is no whole number of patches is
    made larger by its own edge. Class and register tokens stand before the patches.
    """
    grid = _Grid(network.num_prefix_tokens)
    down, across = network.patch_embed.feat_ratio(as_scalar=False)

    def whole_patches(_network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (fill_up(inputs[0], down, across),)

    network.patch_embed.register_forward_hook(grid.note)
    network.register_forward_pre_hook(whole_patches)
    for block in network.blocks:
        block.add_module(PICTURE, Tokens(grid))
        block.register_forward_hook(_shown)
    return network  # type: ignore[no-any-return]  # timm's builders are untyped


def keeps_places(module: nn.Module) -> bool:
    """Of a transformer's modules: whether four axes of its output are those of a picture, not of heads or tokens."""
    return isinstance(module, Tokens | nn.Conv2d)


def _shown(block: nn.Module, _inputs: object, tokens: Tensor) -> None:
    block.get_submodule(PICTURE)(tokens)
