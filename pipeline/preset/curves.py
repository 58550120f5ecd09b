"""Checking the curves of a stage, wherever the film takes them."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.activity import report
from pipeline.curves import curves_of, range_problem
from pipeline.errors import mishap
from pipeline.stages import RunSpec, StageConfig


def curve_problems(config: StageConfig, spec: RunSpec) -> Iterator[tuple[str, str]]:
    """What is wrong with the curves anywhere in the film, as (key, message): the first thing of each."""
    for key, place, curve, bounds in curves_of(config):
        report(f"checking {key}")
        if curve.constant is not None:
            continue  # its number was looked at when it was read
        try:
            message = curve.problem(spec.clock)
            moments = spec.timeline(curve)
            if message is None and bounds is not None:
                message = range_problem(curve.values(moments), moments, bounds.ge, bounds.le)
        except Exception as error:  # nothing that a preset says may end in a traceback
            message = mishap(error)
        if message is not None:
            yield key, place + message
