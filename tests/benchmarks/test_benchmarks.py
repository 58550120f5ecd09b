"""The benchmarks keep up with the package: every one of them imports, and says how it is called."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import benchmarks

NAMES = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]


@pytest.mark.parametrize("name", NAMES)
def test_it_imports_and_has_a_main(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__
    assert name == "common" or callable(module.main)


def test_the_ways_that_coherence_compares_render() -> None:
    from benchmarks.coherence import dreaming, preset_over
    from pipeline.chain import frames

    preset = preset_over("carphone_pristine", 2, ["dream.octaves=1", "dream.engine=packed"])
    for blend in (0.0, 0.5):
        shown = list(frames(dreaming(preset, 2, blend)))
        assert len(shown) == 2 and float((shown[0].image - shown[1].image).abs().mean()) > 0.001


def test_a_start_is_timed_up_to_its_first_frame(small_preset: Path) -> None:
    from benchmarks.startup import first_frame

    taken = first_frame(small_preset)
    assert 0 < taken["second frame s"] < taken["to the first frame s"]
