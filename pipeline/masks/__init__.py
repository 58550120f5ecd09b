"""Where to dream."""

from pipeline.masks.followed import FollowedMask
from pipeline.masks.kinds import DetailMask, FilmMask, FoundMask, ImageMask, Mask, MaskField, RadialMask
from pipeline.masks.reel import MaskReel

__all__ = [
    "DetailMask",
    "FilmMask",
    "FollowedMask",
    "FoundMask",
    "ImageMask",
    "Mask",
    "MaskField",
    "MaskReel",
    "RadialMask",
]
