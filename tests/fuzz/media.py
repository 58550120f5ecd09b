"""Pictures, films and sounds that came to harm, each as everything that a preset can take it for."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from tests.fuzz import specimens
from tests.fuzz.case import Case
from tests.fuzz.damage import Draw, damaged
from tests.fuzz.presets import CHECK, FILE, RENDER

_TOP = "size: 64x48\nfps: 12\nduration: 2f\ndevice: cpu\n"
_DREAM = "{stage: dream, octaves: 1, steps: 1, first_steps: 1, engine: folded, precision: float32, "
_FILM = "device: cpu\nsize: 64x48\nstages: [{stage: video, path: X}, {stage: encode, preset: ultrafast}]\n"
_ROLES = {
    "film": _FILM,
    "sound": _TOP + "audio: X\nstages: [{stage: noise}, {stage: encode, preset: ultrafast}]\n",
    "picture": _TOP + "stages: [{stage: image, path: X}]\n",
    "palette": _TOP + "stages: [{stage: noise}, {stage: palette, image: X}]\n",
    "mask": _TOP + "stages: [{stage: noise}, " + _DREAM + "mask: {image: X}}]\n",
    "film mask": _TOP + "stages: [{stage: noise}, " + _DREAM + "mask: {film: X}}]\n",
    "guide": _TOP + "stages: [{stage: noise}, " + _DREAM + "objective: {layer: blocks.2.1, guide: X}}]\n",
    "weights": _TOP + "stages: [{stage: noise}, " + _DREAM + "weights: X}]\n",
}
_DREAM_ON = ("dream", "X", "-o", "out.png", "--layer", "blocks.2.1", "--octaves", "1", "--steps", "1")
_FITTING = {"films": ("film", "film", "film", "film mask", "sound"), "sounds": ("sound",)}
_STILL = ("picture", "dream", "dream", "palette", "mask", "guide", "film")
_OTHERS = {
    "words.srt": specimens.SUBTITLES,
    "empty.mp4": b"",
    "zeros.mkv": bytes(4096),
    "page.html.mp4": b"<html></html>",
}


@cache
def _specimens() -> dict[str, tuple[bytes, tuple[str, ...]]]:
    found = {name: (data, _FITTING["films"]) for name, data in specimens.films().items()}
    found |= {name: (data, _FITTING["sounds"]) for name, data in specimens.sounds().items()}
    found |= {name: (data, _STILL) for name, data in specimens.pictures().items()}
    return found | {name: (data, tuple(_ROLES)) for name, data in _OTHERS.items()}


@st.composite
def harmed(draw: Draw) -> Case:
    """A damaged file, read to its end."""
    known = _specimens()
    name = draw(st.sampled_from(sorted(known)))
    data, roles = known[name]
    kin = [other for other, fits in known.values() if fits == roles]
    role = draw(st.sampled_from(["dream", *_ROLES] if draw(st.integers(0, 19)) == 0 else list(roles)))
    return case(role, name, damaged(draw, data, kin))


def case(role: str, name: str, data: bytes) -> Case:
    """A file in a role."""
    named = (name, FILE)
    if role == "dream":
        return Case("media", ((tuple(name if part == "X" else part for part in _DREAM_ON),),), {name: data}, named)
    files = {FILE: _ROLES[role].replace("X", name).encode(), name: data}
    return Case("media", ((CHECK, RENDER),), files, named)
