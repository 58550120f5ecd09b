"""Whole ascent steps as CUDA graphs: one launch in place of some hundred, for each octave's size.

Nothing in a captured step may depend on values that the host knows: jitter and step sizes are read from buffers
on the device; a step that does can't be captured, and its climbs are led step by step as other engines' are. On other
devices the same step runs operator by operator, so that its logic is tested without a GPU.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.backbones import Backbone
from pipeline.device import is_out_of_memory, upload
from pipeline.engines.base import Engine, EngineChoice, PrecisionName, log
from pipeline.engines.folded import FoldedEngine
from pipeline.engines.plan import Climb, draw_shifts
from pipeline.frame import Size, size_of
from pipeline.objectives import Objective
from pipeline.ops.gradient import laplacian_normalised, smooth, step_along

_WARM_UPS = 3


class GraphEngine(Engine):
    """The folded engine, with its climbs captured. Raises UnsupportedNetwork when the network can't be flattened."""

    def __init__(self, backbone: Backbone, precision: PrecisionName) -> None:
        self.choice = EngineChoice("graph", precision)
        self._folded = FoldedEngine(backbone, precision)
        self._steps: dict[Size, AscentStep] = {}

    def __call__(self, image: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        return self._folded(image, objective)

    def climb_whole(self, image: Tensor, objective: Objective, how: Climb, generator: torch.Generator) -> Tensor | None:
        step = self._steps.get(size_of(image))
        if step is None or not step.fits(objective, how):
            self._steps.pop(size_of(image), None)
            del step  # its memory goes before another is captured
            step = AscentStep(self._folded, objective, image, how.kernel, how.laplacian)
            step.prepare()
            self._steps[size_of(image)] = step  # of one size there is one, whatever a film changes on its way
        return step.climb(image, how, generator) if step.is_ready else None

    def forget(self) -> None:
        self._folded.forget()
        self._steps.clear()


class AscentStep:
    """One step on buffers of its own, captured when it is prepared on a CUDA device."""

    is_ready = True
    """whether it can climb; not where it couldn't be captured"""

    def __init__(
        self, engine: FoldedEngine, objective: Objective, image: Tensor, kernel: Tensor | None, laplacian: bool
    ) -> None:
        self._laplacian = laplacian
        self._engine, self._objective = engine, objective
        self._kernel = kernel
        self._kernel_here = None if kernel is None else kernel.to(image.device)
        self._image = torch.empty_like(image, memory_format=torch.contiguous_format)
        self._shift = torch.zeros(2, dtype=torch.long, device=image.device)
        self._length = torch.zeros_like(self._image[:, :1])
        self._rows = torch.arange(image.shape[2], device=image.device)
        self._columns = torch.arange(image.shape[3], device=image.device)
        self._graph: torch.cuda.CUDAGraph | None = None

    def fits(self, objective: Objective, how: Climb) -> bool:
        """Whether it is a step of such a climb, with the very same objective and kernel."""
        return self._objective is objective and self._kernel is how.kernel and self._laplacian == how.laplacian

    def climb(self, image: Tensor, how: Climb, generator: torch.Generator) -> Tensor:
        """The climb from `image` (1, 3, H, W), which stays as it is."""
        shifts = draw_shifts(how, generator)
        moves = upload(torch.diff(shifts, dim=0, prepend=shifts.new_zeros(1, 2)), image.device)
        self._image.copy_(image)
        self._length.copy_(how.step_size) if isinstance(how.step_size, Tensor) else self._length.fill_(how.step_size)
        for move in moves:
            self._shift.copy_(move)
            self._step() if self._graph is None else self._graph.replay()
        top, left = shifts[-1].tolist()
        return self._image.roll((-top, -left), (2, 3))

    def _step(self) -> None:
        rows = (self._rows - self._shift[0]) % len(self._rows)
        columns = (self._columns - self._shift[1]) % len(self._columns)
        for moved in (self._image, self._length):
            moved.copy_(moved.index_select(2, rows).index_select(3, columns))
        _, gradient = self._engine(self._image, self._objective)
        gradient = laplacian_normalised(gradient) if self._laplacian else gradient
        gradient = gradient if self._kernel_here is None else smooth(gradient, self._kernel_here)
        step_along(self._image, gradient, self._length)

    def prepare(self) -> None:
        """Capture the step; elsewhere than on CUDA, nothing. Raises torch.OutOfMemoryError."""
        if self._image.device.type != "cuda":
            return
        try:
            self._graph = self._captured()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            log.warning("a step at %s can't be captured, it takes longer: %s", size_of(self._image), error)
            self.is_ready = False

    def _captured(self) -> torch.cuda.CUDAGraph:
        """A recording of the step, after some runs on a side stream, as torch's CUDA graphs ask for."""
        self._image.fill_(0.5)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # The threads beside the loop go on pinning memory and waiting for copies meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._step()
        return graph
