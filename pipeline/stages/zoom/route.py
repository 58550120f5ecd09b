"""The camera's way from frame to frame, for what is at any depth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.curves import CurveError
from pipeline.frame import Size
from pipeline.ops.camera import (
    Rates,
    at_disparity,
    cells_per_second,
    magnified,
    motion_matrix,
    over_ground,
    path_generators,
    path_matrix,
    rate_matrices,
    seen_from,
)
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom.config import ZoomConfig, pair_values

Array = NDArray[np.float64]


class Route:
    """Backward (3, 3) float64 matrices in pixels of the picture that goes round; `disparity` 1 is the flat zoom."""

    def __init__(self, config: ZoomConfig, spec: RunSpec) -> None:
        self._config, self._spec = config, spec
        self._steady: dict[float, Tensor] = {}

    def motion(self, seconds: float, disparity: float = 1.0) -> Tensor:
        """A steady camera's motion over `seconds`."""
        c = self._config
        start = self._spec.at_frame(0)
        zoom, degrees = float(c.zoom.values(start)[0]), float(c.rotate.values(start)[0])
        names = ("pan", "centre", "shear", "tilt")
        pan, centre, shear, tilt = (tuple(float(x[0]) for x in pair_values(getattr(c, name), start)) for name in names)
        matrix = motion_matrix(
            seconds,
            self._spec.frame,
            zoom=zoom**disparity,
            degrees_per_second=degrees,
            pan=(pan[0] * disparity, pan[1] * disparity),
            centre=(centre[0], centre[1]),
            shear=(shear[0], shear[1]),
            tilt=(tilt[0], tilt[1]),
        )
        return self._on_canvas(matrix)

    def to(self, index: int, disparity: float = 1.0) -> Tensor:
        """The step to frame `index` from the one before, between pictures as they are shown."""
        if not self._config.steady:
            return self.punched(self.step(index, disparity), index)
        if disparity not in self._steady:
            self._steady[disparity] = self.motion(float(1 / self._spec.fps), disparity)
        return self._steady[disparity]

    def step(self, index: int, disparity: float = 1.0) -> Tensor:
        """The same without the punch."""
        return path_matrix(self._rates(disparity), *self._times(index))

    def generator(self, index: int, disparity: float) -> Tensor:
        """What `step` is the exponential of, but for what motions that change meanwhile do to each other."""
        # A steady camera's is the same in every frame to the last digit, so that what follows from it is found once.
        return path_generators(self._rates(disparity), *self._times(1 if self._config.steady else index)).sum(0)

    def over_ground(self, index: int) -> Tensor:
        """The nearest step that keeps shapes."""

        def rates(seconds: Array) -> Tensor:
            return self._on_canvas(rate_matrices(over_ground(self._rates_at(seconds)), self._spec.frame))

        return self.punched(path_matrix(rates, *self._times(index)), index)

    def punched(self, step: Tensor, index: int) -> Tensor:
        """A step to frame `index` between pictures that are punched: that of the one before is taken back first."""
        if not self.punches:
            return step
        taken_back: Tensor = torch.linalg.inv(self.punch(index - 1))
        return taken_back @ step @ self.punch(index)

    @property
    def punches(self) -> bool:
        """Whether frames are magnified beside all motion."""
        return self._config.punch.constant != 0

    def punch(self, index: int) -> Tensor:
        """What a frame is magnified by beside all motion."""
        x, y = self.centre(index)
        factor = 1 + self._config.punch.at(self._spec.at_frame(max(0, index)))
        return self._on_canvas(magnified(factor, (x, y), self._spec.frame))

    def centre(self, index: int) -> tuple[float, float]:
        """The point that stays in place, in shares of the frame."""
        moment = self._spec.at_frame(max(0, index))
        x, y = (curve.at(moment) for curve in self._config.centre)
        return x, y

    def _times(self, index: int) -> tuple[float, float, Array]:
        index = max(1, index)  # a lead-in moves as the film begins to
        start, end = float((index - 1) / self._spec.fps), float(index / self._spec.fps)
        margin = 2 / cells_per_second(end - start)
        return start, end, self._config.breaks(start - margin, end + margin, self._spec)

    def _rates(self, disparity: float) -> Callable[[Array], Tensor]:
        def rates(seconds: Array) -> Tensor:
            found = self._on_canvas(rate_matrices(at_disparity(self._rates_at(seconds), disparity), self._spec.frame))
            if not found.isfinite().all():  # in an endless film, past what was checked
                raise CurveError(f"{self._config.id}: the camera's motion has no finite value at {seconds[0]:.2f}s")
            return found

        return rates

    def _rates_at(self, seconds: Array) -> Rates:
        return self._config.rates(self._spec.at_seconds(seconds))

    def _on_canvas(self, matrices: Tensor) -> Tensor:
        """Matrices of the frame's pixels in those of the picture that goes round, which begins before the frame."""
        down, right = self._spec.margin
        return seen_from(matrices, Size(-down, -right)) if any(self._spec.margin) else matrices
