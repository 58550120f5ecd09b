"""A chosen journey: classes or channels in turn, each fading into the next, alike at every frame rate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipeline.curves import Clock
from pipeline.errors import PresetError
from pipeline.objectives.journey_term import JourneyTerm
from pipeline.preset import parse_preset
from pipeline.stages.dream import DreamConfig
from pipeline.times import Array


def weights(seconds: list[float], fps: int = 24, **keys: object) -> Array:
    term = JourneyTerm.model_validate({"journey": ["palace", "pagoda", "coral reef"][: keys.pop("count", 3)], **keys})
    moments = Clock(Fraction(fps), None, 0).at_seconds(np.array(seconds))
    return np.stack([part.weight.values(moments) for part in term.parts()])


def test_each_has_its_turn_and_they_go_round() -> None:
    found = weights([0.0, 3.9, 8.0, 11.0, 16.0, 24.0], life="8s", blend=0.5)
    assert found.argmax(0).tolist() == [0, 0, 1, 1, 2, 0]
    assert found.max(0) == pytest.approx(1)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("blend", [0.1, 0.5, 1.0])
def test_together_they_pull_as_much_at_all_times(count: int, blend: float) -> None:
    seconds = np.linspace(0, 60, 997).tolist()
    found = weights(seconds, count=count, life="7s", blend=blend, weight=0.5)
    assert found.sum(0) == pytest.approx(0.5) and found.min() >= -1e-12
    assert np.array_equal(found, weights(seconds, 60, count=count, life="7s", blend=blend, weight=0.5))
    assert np.abs(np.diff(found, axis=1)).max() < 0.08 / blend  # nothing jumps


def test_a_preset_keeps_it_as_it_was_written_and_checks_each_of_its_places() -> None:
    preset = "size: 128x96\nstages:\n  - stage: noise\n  - {stage: dream, octaves: 1, objective: OBJECTIVE}\n"
    read = parse_preset(preset.replace("OBJECTIVE", "{layer: blocks.4.1, journey: [3, 6], life: 4s}"))
    dream = read.chain[1]
    assert isinstance(dream, DreamConfig) and len(dream.terms) == 2
    assert parse_preset(read.to_yaml()).resolved() == read.resolved()
    for objective, said in (
        ("{journey: [palace, coral reaf]}", r"objective\[0\]\.journey\[1\]: is 'coral reaf'.*near: coral reef"),
        ("{journey: [palace]}", "journey"),
        ("{journey: [3, 999], layer: blocks.4.1}", r"journey\[1\]: is 999, and blocks.4.1 has channels 0 to 111"),
        ("{journey: [3, palace], layer: blocks.4.1}", r"journey\[1\]: is 'palace'; beside `layer` it must be"),
        ("{journey: [3, 6], layer: blocks.4.1, life: 8f}", "life: is 8f, must be in seconds"),
    ):
        with pytest.raises(PresetError, match=said):
            parse_preset(preset.replace("OBJECTIVE", objective))
