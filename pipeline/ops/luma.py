"""How bright a picture's colours are: luma, of the values as they are encoded."""

from __future__ import annotations

from torch import Tensor

from pipeline.device import constant

BT601 = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as in OpenCV's grey, and so in the figures of run.jsonl"""
BT709 = (0.2126, 0.7152, 0.0722)
"""ITU-R BT.709, that of sRGB's own primaries: what masks call bright"""


def luma(frame: Tensor, weights: tuple[float, float, float] = BT601) -> Tensor:
    """The luma (1, 1, H, W) of a picture (1, 3, H, W), both in [0, 1]: its colours' weighted sum.

    Example:
        >>> green = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
        >>> round(float(luma(green)), 3), round(float(luma(green, BT709)), 4)
        (0.587, 0.7152)
    """
    return (frame * constant(weights, frame).view(1, 3, 1, 1)).sum(1, keepdim=True)
