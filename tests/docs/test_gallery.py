"""The gallery: every preset is shown, and its loop goes round."""

from __future__ import annotations

import numpy as np

from docs.make_gallery import FADE, FOLDER, LOOP, looped, page
from pipeline.preset import shelf


def test_every_preset_is_shown_as_it_is_called() -> None:
    shown = {name: path for name, path in shelf().items() if not name.endswith("-hd")}
    for name in shown:
        assert (FOLDER / f"{name}.webp").exists() and (FOLDER / f"{name}.jpg").exists(), f"make gallery: {name}"
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == page(shown)


def test_a_loop_goes_round_without_a_jump() -> None:
    film = [np.full((2, 2, 3), index, np.uint8) for index in range(100)]
    levels = [int(picture[0, 0, 0]) for picture in looped(film)]
    assert len(levels) == LOOP and levels[0] == 100 - LOOP
    steps = np.abs(np.diff([*levels, levels[0]]))
    assert steps.max() <= np.ceil(LOOP / FADE)  # the whole way back is spread over the fade
