"""What a film that is cut into shots can't have."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import KeyPath, parse_path
from pipeline.masks import FilmMask, simple_masks
from pipeline.outputs import EncodeConfig
from pipeline.preset.model import Preset


def problems_of_shots(preset: Preset) -> Iterator[tuple[KeyPath, str]]:
    """Outputs that can't be written shot by shot, and joined; none for a film of one run."""
    if not preset.cut_into_shots:
        return
    places = [index for index, config in enumerate(preset.stages) if isinstance(config, EncodeConfig)]
    for index, rendition in zip(places, preset.renditions, strict=True):
        if rendition.fps != preset.fps:
            said = f"is {rendition.fps}, and a film of shots keeps its {preset.fps}"
            yield ("stages", index, "fps"), f"{said}; leave `fps` out here, or `shots` there"
        mask = rendition.config.mask
        for place, each in () if mask is None else simple_masks(mask):
            if isinstance(each, FilmMask):
                said = "is a film, which outputs of a film of shots can't have; leave it out"
                yield ("stages", index, "mask", *parse_path(place)), said
