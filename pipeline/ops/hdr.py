"""From light brighter than a screen's white to what a screen shows: tone mapping of PQ and HLG pictures."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Transfer = Literal["pq", "hlg"]
WHITE = 203.0
"""cd/m2 that diffuse white has in HDR (ITU-R BT.2408), and that a frame's 1 stands for"""
PEAK = 1000.0
"""cd/m2 of what is still told from white, as most HDR is graded"""
# SMPTE ST 2084
_M1, _M2, _C1, _C2, _C3 = 1305 / 8192, 2523 / 32, 107 / 128, 2413 / 128, 2392 / 128
# ITU-R BT.2100, HLG
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_GAMMA = 1.2  # of a screen of 1000 cd/m2
_LUMA_2020 = (0.2627, 0.6780, 0.0593)
# ITU-R BT.2087
_TO_709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))


def tone_map(coded: Tensor, transfer: Transfer) -> Tensor:
    """A picture (1, 3, H, W) of BT.2020 colours, coded in PQ or HLG, as a frame: BT.709 colours, sRGB-coded.

    What is darker than about 90 cd/m2 keeps its light, with 203 as the frame's white; from there to 1000 it is pressed
    together along the curve of ITU-R BT.2390 (5.4.1), by the largest of red, green and blue, so that hues stay.

    Example:
        >>> grey = torch.full((1, 3, 1, 1), 0.58069)  # 203 cd/m2
        >>> [round(value, 2) for value in tone_map(grey, 'pq').flatten().tolist()]
        [0.9, 0.9, 0.9]
    """
    light = pq_light(coded) if transfer == "pq" else hlg_light(coded)
    red, green, blue = light.unbind(1)
    narrow = torch.stack([r * red + g * green + b * blue for r, g, b in _TO_709], 1).clamp_min(0)
    brightest = narrow.amax(1, keepdim=True).clamp_min(1e-4)
    return _srgb((narrow * (_pressed(brightest) / brightest) / WHITE).clamp(0, 1))


def pq_light(coded: Tensor) -> Tensor:
    """The light in cd/m2 that PQ codes stand for (SMPTE ST 2084).

    Example:
        >>> pq_light(torch.tensor([0.0, 0.5081, 1.0])).round().tolist()
        [0.0, 100.0, 10000.0]
    """
    root = coded.clamp(0, 1) ** (1 / _M2)
    return 10000 * ((root - _C1).clamp_min(0) / (_C2 - _C3 * root)) ** (1 / _M1)


def pq_code(light: Tensor) -> Tensor:
    """The PQ codes of light in cd/m2.

    Example:
        >>> [round(code, 3) for code in pq_code(torch.tensor([0.0, 100.0, 10000.0])).tolist()]
        [0.0, 0.508, 1.0]
    """
    power = (light / 10000).clamp(0, 1) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def hlg_light(coded: Tensor) -> Tensor:
    """The light in cd/m2 that HLG codes (1, 3, H, W) of BT.2020 colours have on a screen of 1000 (ITU-R BT.2100).

    Example:
        >>> hlg_light(torch.full((1, 3, 1, 1), 0.75)).flatten().round().tolist()
        [203.0, 203.0, 203.0]
    """
    coded = coded.clamp(0, 1)
    scene = torch.where(coded <= 0.5, coded.square() / 3, (((coded - _C) / _A).exp() + _B) / 12)
    luminance = sum(weight * plane for weight, plane in zip(_LUMA_2020, scene.unbind(1), strict=True))
    assert isinstance(luminance, Tensor)
    return PEAK * luminance[:, None].clamp_min(1e-6) ** (_GAMMA - 1) * scene


def _pressed(light: Tensor) -> Tensor:
    """cd/m2 from 0 to 1000 in cd/m2 from 0 to 203: a spline from its knee on, in PQ (BT.2390-10, 5.4.1)."""
    source, target = pq_code(torch.tensor([PEAK, WHITE])).tolist()
    most = target / source
    knee = 1.5 * most - 0.5
    code = (pq_code(light) / source).clamp(0, 1)
    t = ((code - knee) / (1 - knee)).clamp_min(0)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return pq_light(torch.where(code < knee, code, spline) * source)


def _srgb(light: Tensor) -> Tensor:
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)
