"""How a camera moves: the zoom stage's keys, and the rates they give at any moment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.curves import (
    Constant,
    Curve,
    CurveField,
    CurvePair,
    Moments,
    PerSecond,
    Within,
    curves_of,
    looked_at,
    range_problem,
)
from pipeline.ops.camera import Rates, cells, cells_per_second, gauss_points, joined_pan
from pipeline.stages.base import StageConfig
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom.depth import DepthField, GeometryDepth
from pipeline.stages.zoom.symmetry import SymmetryConfig, SymmetryField

Array = NDArray[np.float64]
_MOTIONS = ("zoom", "rotate", "pan", "shear", "tilt", "centre")
_STILL = (Constant(0.0), Constant(0.0))


class ZoomConfig(StageConfig):
    """Move the camera. The same numbers give the same motion at every frame rate.

    All motions of one stage act at once, and the picture is interpolated once for all of them.
    """

    zoom: Annotated[CurveField, Within(0.01, 100, deforum="factor")] = Field(
        Constant(1.0), description="magnification per second; above 1 moves in, below 1 out"
    )
    rotate: Annotated[CurveField, Within(-3600, 3600, deforum="turn")] = Field(
        Constant(0.0), description="degrees per second, clockwise"
    )
    pan: Annotated[CurvePair, Within(-100, 100, deforum="pan")] = Field(
        _STILL, description="[right, down] in frame widths per second"
    )
    shear: Annotated[CurvePair, Within(-10, 10)] = Field(
        _STILL,
        description="[x, y] slant per second: rows slide right by x times their distance below the centre, "
        "columns slide down by y times their distance to the right of it",
    )
    tilt: Annotated[CurvePair, Within(-360, 360)] = Field(
        _STILL,
        description="[right, down] in degrees per second: the camera turns where it stands, with perspective, "
        "through a lens as long as the frame is wide",
    )
    centre: Annotated[CurvePair, Within(-100, 100)] = Field(
        (Constant(0.5), Constant(0.5)),
        description="the point that zoom, rotation and shear leave in place, [x, y] in shares of the frame",
    )
    punch: Annotated[CurveField, Within(-0.9, 10)] = Field(
        Constant(0.0),
        description="how much larger the picture is at a moment, beside all motion, as a share: 0.04*kick jumps in by "
        "4 % at every kick and falls back",
    )
    edges: Literal["reflect", "wrap", "replicate", "noise"] = Field(
        "reflect",
        description="what the camera sees beyond the picture: reflect, its mirror image; wrap, its other side; "
        "replicate, its outermost pixels; noise, something new to dream on, best for moving out; with the preset's "
        "`margin` it has grown before it comes into sight",
    )

    symmetry: SymmetryField | None = Field(
        None,
        description="what the picture is like in all its frames: {kaleidoscope: 6}, {rotational: 5}, "
        "{mirror: x|y|both}, {tiles: [3, 2]} or {droste: 4}; the dream is, too",
    )

    depth: DepthField | None = Field(
        None,
        description="how far away things are, so that near ones pass by faster: {geometry: tunnel|ground|dome}, "
        "{picture: luminance|saliency}, {image: map.png}, {film: maps.mp4} or {network: midas.onnx}; `zoom` and `pan` "
        "are then meant for what is at distance 1",
    )

    @property
    def parallax(self) -> bool:
        return self.depth is not None and self.depth.parallax

    @property
    def steady(self) -> bool:
        """Whether the camera moves alike at all times."""
        return all(curve.constant is not None for _, _, curve, _ in curves_of(self))

    def breaks(self, start: float, end: float, spec: RunSpec) -> Array:
        """When a motion jumps, in seconds of the run."""
        since, clock = spec.begins_at, spec.clock
        found = [curve.breaks(since + start, since + end, clock) for _, _, curve, _ in curves_of(self)]
        return np.concatenate(found) - since

    def rates(self, moments: Moments) -> Rates:
        """The camera's motion at (N,) moments."""
        zoom, degrees = self.zoom.values(moments), self.rotate.values(moments)
        pan = pair_values(self.pan, moments)
        by_frames = [curve.schedule.rate(moments.clock) for curve in self.pan if isinstance(curve, PerSecond)]
        if by_frames:
            pan = joined_pan(pan, zoom, degrees, 1 / by_frames[0])
        centre, shear, tilt = (pair_values(pair, moments) for pair in (self.centre, self.shear, self.tilt))
        return Rates(zoom, degrees, pan, centre, shear, tilt)

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        """Between the frames too, wherever the camera's way is looked at."""
        if self.symmetry is not None:
            yield from self._tearing(self.symmetry)
        if spec.on_sphere:
            yield (
                "",
                "moves a flat picture, and this film is a sphere; use `stage: sphere`, with zoom, roll, yaw, pitch",
            )
        if self.depth is not None:
            yield from self._without_depth(spec)
            yield from ((f"depth.{key}", message) for key, message in self.depth.problems())
        moving = [(*found, spec.timeline(found[2])) for found in curves_of(self) if found[2].constant is None]
        if not moving or any(curve.problem(spec.clock) for _, _, curve, _, _ in moving):
            return  # told already
        between = self._between(spec)
        for key, place, curve, bounds, moments in moving:
            within = (-np.inf, np.inf) if bounds is None else (bounds.ge, bounds.le)
            message = range_problem(curve.values(between), between, *within)
            if message is not None and range_problem(curve.values(moments), moments, *within) is None:
                yield key, place + message  # else it is told already

    def _tearing(self, symmetry: SymmetryConfig) -> Iterator[tuple[str, str]]:
        """Motions that would show two different things on the two sides of a line."""
        kind, only = next(iter(type(symmetry).model_fields)), symmetry.only
        for key in _MOTIONS if only is not None else ():
            assert only is not None
            if key not in only and getattr(self, key) != type(self).model_fields[key].default:
                remedy = "`mirrored: true`" if kind == "tiles" else "{kaleidoscope: ...}"
                yield (
                    key,
                    f"moves, which tears {kind} apart: only {' and '.join(only)} may; leave it out, or use {remedy}",
                )

    def _without_depth(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        """What can't be had with it."""
        if isinstance(self.depth, GeometryDepth) and self.depth.parallax and not spec.continues:
            remedy = "footage has distances of its own; use {picture: ...}, {image: ...}, {film: ...} or {network: ...}"
            yield (
                "depth.geometry",
                f"is {self.depth.geometry}, through which one flies out of noise or a picture; {remedy}",
            )
        if self.symmetry is not None and self.symmetry.only is not None:
            kind = next(iter(type(self.symmetry).model_fields))
            yield "depth", f"would tear {kind} apart; leave it out, or use {{kaleidoscope: ...}} or mirrored tiles"

    def _between(self, spec: RunSpec) -> Moments:
        """Where the camera's way is looked at; in a long film in some of the cells, and in those next to keyframes."""
        per_second = cells_per_second(float(1 / spec.fps))
        end = float((spec.checked_frames - 1) / spec.fps)
        breaks, count = self.breaks(0.0, end, spec), max(1, math.ceil(end * per_second))
        if count + len(breaks) <= spec.looks:
            edges = cells(0.0, end, breaks, per_second)
            starts, ends = edges[:-1], edges[1:]
        else:
            knots = np.concatenate([curve.knots(spec.clock) for _, _, curve, _ in curves_of(self)]) - spec.begins_at
            knots = knots[(knots > 0) & (knots < end)]
            first = looked_at(count, spec.looks, np.empty(0)) / per_second
            below, above = np.floor(knots * per_second) / per_second, np.ceil(knots * per_second) / per_second
            starts, ends = np.concatenate([first, below, knots]), np.concatenate([first + 1 / per_second, knots, above])
        return spec.at_seconds(np.unique(gauss_points(starts, ends)))


def pair_values(pair: tuple[Curve, Curve], moments: Moments) -> tuple[Array, Array]:
    """Both curves at (N,) moments."""
    return pair[0].values(moments), pair[1].values(moments)
