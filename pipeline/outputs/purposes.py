"""What a film is for: named sets of size, rate and quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Literal, cast

from pipeline.outputs.formats import FORMATS, FormatName

PurposeName = Literal["reels", "story", "square", "web", "archive"]


@dataclass(frozen=True)
class Purpose:
    """What the keys of `encode` are where a preset leaves them out."""

    keys: Mapping[str, Any]
    slowest: Fraction = Fraction(1, 1000)
    """frames a second that are taken, from here"""
    fastest: Fraction = Fraction(1000)
    """to here"""

    def rate(self, fps: Fraction) -> Fraction:
        """The rate of a film that has `fps`: the same where it is taken, else each frame n times, or each nth.

        A film at 24 stays so: some frames shown twice, to make 30 of it, would stutter.
        """
        if fps < self.slowest:
            return fps * ceil(self.slowest / fps)
        return fps / ceil(fps / self.fastest)


_ABOUT_SIZE = {"size", "longest_side", "fit"}
_UPRIGHT = {"format": "h264", "size": "1080x1920", "fit": "crop", "crf": 18, "preset": "slow"}
_TAKEN = (Fraction(23), Fraction(60))
PURPOSES: Mapping[PurposeName, Purpose] = {
    "reels": Purpose(_UPRIGHT, *_TAKEN),
    "story": Purpose({**_UPRIGHT, "crf": 21}, *_TAKEN),
    "square": Purpose({**_UPRIGHT, "size": "1080x1080"}, *_TAKEN),
    "web": Purpose(
        {"format": "h264", "longest_side": 1280, "crf": 23, "preset": "slow"}, Fraction(1, 1000), Fraction(30)
    ),
    "archive": Purpose({"format": "ffv1", "bits": 16}),
}


def filled(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of an `encode`, with those that it leaves out as its purpose and its format have them."""
    given = {key: value for key, value in given.items() if value is not None}
    keys = _of_purpose(given) | given
    name = keys.get("format", "h264")
    usual = _of_format(cast(FormatName, name), keys) if isinstance(name, str) and name in FORMATS else {}
    if keys.get("encoder", "software") != "software" and "preset" not in given:
        usual, keys = {**usual, "preset": None}, {key: value for key, value in keys.items() if key != "preset"}
    return usual | keys


def _of_purpose(given: Mapping[str, Any]) -> dict[str, Any]:
    name = given.get("for")
    purpose = PURPOSES.get(cast(PurposeName, name)) if isinstance(name, str) else None
    if purpose is None:
        return {}
    # What is meant for one format says nothing to another; whoever gives a size means no other.
    same, sized = (
        given.get("format", purpose.keys["format"]) == purpose.keys["format"],
        {"size", "longest_side"} & {*given},
    )
    return {
        key: value
        for key, value in purpose.keys.items()
        if (not sized if key in _ABOUT_SIZE else same or key == "format")
    }


def _of_format(name: FormatName, keys: Mapping[str, Any]) -> dict[str, Any]:
    form = FORMATS[name]
    usual = {
        "bits": form.bits,
        "crf": form.crf[0] if form.crf else None,
        "preset": "medium" if form.speeds else None,
        "quality": 80 if name == "webp" else None,
        "fit": "crop" if "size" in keys else None,
    }
    return {key: value for key, value in usual.items() if value is not None}
