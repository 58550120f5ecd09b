"""The guard holds figures, without swinging, at any frame rate, and over a resume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch

from pipeline.errors import PresetError
from pipeline.frame import from_array, to_uint8
from pipeline.ops import noise
from pipeline.ops.hold import SCALES
from pipeline.ops.measure import figures, look
from pipeline.ops.tone import with_contrast, with_saturation
from pipeline.preset import parse_preset
from pipeline.stages import FrameContext
from pipeline.stages.hold import FIGURES
from tests.conftest import photograph
from tests.stages.test_stages import SPEC, build, picture


def drifting(fps: int, seconds: int, drift: Callable[[torch.Tensor, float], torch.Tensor], **keys: Any) -> list[Any]:
    """The figures of a picture that drifts and is held, frame by frame."""
    spec = replace(SPEC, fps=Fraction(fps))
    stage, frame = build("hold", spec, **({"sharpness": None, "saturation": None} | keys)), picture()
    found = []
    for index in range(1, seconds * fps):
        frame = stage(drift(frame, 1 / fps).clamp(0, 1), FrameContext(index, spec, frame))
        found.append(dict(zip(FIGURES, figures(frame).tolist(), strict=True)))
    return found


def neon(frame: torch.Tensor, dt: float) -> torch.Tensor:
    return with_saturation(frame, 1.2**dt)


@pytest.mark.parametrize("fps", [6, 30])
def test_a_steady_drift_is_held_without_a_gap(fps: int) -> None:
    free = drifting(fps, 12, neon)[-1]["saturation"]
    held = drifting(fps, 12, neon, saturation=0.15)
    assert held[-1]["saturation"] == pytest.approx(0.15, rel=0.2 / fps)  # what drifts in a frame
    assert free > 0.2
    late = [frame["saturation"] for frame in held[8 * fps :]]
    assert max(late) - min(late) < 0.006  # no swinging


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_goes_where_it_is_told(name: str) -> None:
    start = dict(zip(FIGURES, figures(picture()).tolist(), strict=True))[name]
    found = drifting(12, 10, lambda frame, dt: frame, **{name: 1.25 * start})[-1]
    assert found[name] == pytest.approx(1.25 * start, rel=0.05)


def test_first_is_the_value_after_settling() -> None:
    def late_drift(frame: torch.Tensor, dt: float) -> torch.Tensor:
        return with_contrast(frame, 0.8**dt)

    found = [frame["contrast"] for frame in drifting(12, 14, late_drift, contrast="first", settle="1s")]
    assert found[10] > found[11]  # until then it is left alone
    assert found[-1] == pytest.approx(found[11], rel=0.03)


def test_the_lead_in_counts_as_settling() -> None:
    spec = replace(SPEC, lead_in=12)
    stage = build("hold", spec, settle="12f", saturation="first", sharpness=None)
    first = picture(1)
    assert stage(first, FrameContext(0, spec, first)) is not first
    reference = stage.state_dict()["targets"]
    assert float(reference[0]) == pytest.approx(float(figures(first)[2]))


def test_footage_is_corrected_whole() -> None:
    """Nothing comes round there: each frame gets the whole correction, some time behind."""
    spec = replace(SPEC, continues=False, wants_motion=False)
    stage, frame = build("hold", spec, saturation=0.3, sharpness=None, within=0.5), picture()
    held = [stage(frame, FrameContext(index, spec, None)) for index in range(60)]
    assert float(figures(held[-1])[2]) == pytest.approx(0.3, rel=0.05)
    assert float(figures(held[0])[2]) < 0.25


def test_nothing_held_is_a_bit_exact_identity() -> None:
    frame = picture()
    stage = build("hold", sharpness=None, saturation=None)
    assert stage(frame, FrameContext(60, SPEC, frame)) is frame


def test_scales_of_one_change_nothing_to_speak_of() -> None:
    frame = picture()
    for scale in SCALES:
        assert torch.allclose(scale(frame, torch.tensor(1.0)), frame, atol=1e-6)


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
def test_figures_on_the_device_are_those_of_the_log(name: str) -> None:
    import cv2

    frame = from_array(cv2.cvtColor(cv2.imread(str(photograph(name))), cv2.COLOR_BGR2RGB))
    logged = look(to_uint8(frame))
    for figure, value in zip(FIGURES, figures(frame).tolist(), strict=True):
        assert value == pytest.approx(getattr(logged, figure), rel=0.02), figure
    assert figures(noise.white(SPEC.size, 0.2, torch.Generator())).isfinite().all()


def test_wrong_targets_are_told_in_one_line_each() -> None:
    text = b"stages: [{stage: noise}, {stage: hold, brightness: 5, sharpness: often}]"
    with pytest.raises(PresetError) as caught:
        parse_preset(text)
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == 2 and all("must be a number from 0.001 to 2, or first" in line for line in said)
    assert "stages[1].brightness" in said[0] and "'often'" in said[1]
