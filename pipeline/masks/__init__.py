"""Where to dream."""

from pipeline.masks.field import AllMask, AnyMask, Mask, MaskField, NotMask, joined, simple_masks
from pipeline.masks.followed import FollowedSubject
from pipeline.masks.kinds import DetailMask, FilmMask, FoundMask, ImageMask, RadialMask, SimpleMask
from pipeline.masks.moving import MovingMask
from pipeline.masks.reel import MaskReel

__all__ = [
    "AllMask",
    "AnyMask",
    "DetailMask",
    "FilmMask",
    "FollowedSubject",
    "FoundMask",
    "ImageMask",
    "Mask",
    "MaskField",
    "MaskReel",
    "MovingMask",
    "NotMask",
    "RadialMask",
    "SimpleMask",
    "joined",
    "simple_masks",
]
