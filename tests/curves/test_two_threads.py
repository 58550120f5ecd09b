"""A curve is a pure function of the moment: two threads read, check and evaluate one preset, and get the same."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.curves import Clock, Moments, curves_of, parse_curve
from pipeline.preset import parse_preset
from pipeline.preset.curves import curve_problems
from pipeline.stages import StageConfig
from pipeline.stages.dream import DreamConfig

EVERY_KIND = """\
size: 64x48
fps: 12
duration: 6f
seed: 3
device: cpu
stages:
  - stage: noise
  - stage: zoom
    zoom: {0s: 1.1, 0.2s: 1.4, 5f: 1.2, ease: spline}
    rotate: {deforum: "0:(1), 2:(5*sin(t) + s), max_f:(2)"}
    pan: ["0.1*noise(t*9) + where(p < 0.5, 0.1, f/n)", {0s: [0, hold], 3f: [0.2, ease-out], 0.4s: 0}]
    tilt: [0.5, -1]
  - stage: dream
    layer: {0s: blocks.2.1, 0.3s: [blocks.4.1, smooth], 6f: blocks.2.1}
    octaves: 1
    strength: "min(1, 0.1 + t)"
"""
ROUNDS, EACH = 10_000, 100


def in_two_threads(work: Callable[[int], None]) -> None:
    """Both at once, from the first call on; what one raises is raised here."""
    failed: list[BaseException] = []
    ready = threading.Barrier(2)

    def guarded(number: int) -> None:
        try:
            ready.wait()
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def values(stages: Sequence[StageConfig], moment: Moments) -> list[float]:
    """Every curve's value at a moment, and the weights of every name."""
    found = [curve.at(moment) for config in stages for _, _, curve, _ in curves_of(config)]
    for config in stages:
        if isinstance(config, DreamConfig) and config.layer is not None:
            found += config.layer.weights(moment)
    return found


def test_two_threads_read_check_and_evaluate_one_preset_ten_thousand_times() -> None:
    # Nobody has evaluated these yet: what is worked out once for a film, both threads come to at the same time.
    shared = [parse_preset(EVERY_KIND) for _ in range(ROUNDS // EACH)]
    spec, plain = shared[0].spec(), [config.model_dump(mode="json", exclude_none=True) for config in shared[0].stages]
    moments = [spec.clock.at_frame(half / 2) for half in range(11)]
    expected = [values(parse_preset(EVERY_KIND).stages, moment) for moment in moments]
    filters = list(warnings.filters)

    def work(number: int) -> None:
        for turn in range(number, ROUNDS, 2):
            now, known = moments[turn % 11], expected[turn % 11]
            anew = [type(config).model_validate(data) for config, data in zip(shared[0].stages, plain, strict=True)]
            assert values(anew, now) == known
            if turn % EACH < 10:
                assert values(shared[turn // EACH].stages, now) == known
            if turn % EACH < 2:
                assert not any(problem for config in anew for problem in curve_problems(config, spec))
                assert parse_preset(EVERY_KIND).stages == shared[0].stages

    in_two_threads(work)
    assert warnings.filters == filters


@pytest.mark.parametrize(
    "source",
    [
        "noise(t) + sin(f)*p + where(t < 3, n, t)",
        {"deforum": "0:(1.02), 50:(1.1*sin(t) + s), max_f:(s)"},
        {"0s": 1.0, "5s": 2.0, "9s": 3.0, "ease": "spline"},
    ],
)
def test_two_films_at_once_do_not_mix(source: object) -> None:
    curve = parse_curve(source)

    def work(number: int) -> None:
        clock = Clock(Fraction(12), 10_000, number)
        singly = [curve.at(clock.at_frame(frame)) for frame in range(5000)]
        assert singly == pytest.approx(curve.values(clock.at_frames(np.arange(5000.0))).tolist(), rel=1e-12)

    in_two_threads(work)


_SNIPPETS = st.sampled_from(["1", "0x1f", "1.", ".5", "1e5", "if", "or", "is", "in", "else", "for", "and", "not", "t"])
_SIGNS = st.sampled_from([" ", "", "+", "(", ")", ",", "'", '"', "\\", "\\d", "==", "\n", "1_0", "min"])


@settings(deadline=None, max_examples=300)
@given(st.lists(_SNIPPETS | _SIGNS, max_size=8).map("".join))
@example("1if t else 2")
@example("0xfor t")
@example("1e-5in t")
@example("'\\d'")
@example("if.5if")
@example("1ifs")
def test_no_text_makes_python_warn(text: str) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with contextlib.suppress(ValueError):
            parse_curve(text)
    assert told == []
