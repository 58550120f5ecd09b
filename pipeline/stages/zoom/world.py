"""What lies beyond the picture: clouds that stand still while the camera moves over them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.ops.clouds import PERIOD, clouds, on_level
from pipeline.stages.spec import RunSpec

Generator = Callable[[str, int], torch.Generator]


class World:
    """Endless clouds, and where the camera is over them."""

    def __init__(self, stage_id: str, spec: RunSpec) -> None:
        self._id, self._spec = f"{stage_id}/world", spec
        self._way, self._level = torch.eye(3, dtype=torch.float64), 0
        self._tiles: dict[int, Tensor] = {}

    def go(self, motion: Tensor) -> None:
        """The camera moves on, by a similarity: backward, (3, 3), in pixels."""
        self._way, self._level = on_level(self._way @ motion, self._level, self._unit_px)

    def seen(self, generator: Generator) -> Tensor:
        """What the camera shows of it: (1, 3, H, W) around 0."""
        levels: set[int] = set()

        def tile(level: int) -> Tensor:
            levels.add(level)
            if level not in self._tiles:
                drawn = torch.randn(1, 3, PERIOD, PERIOD, generator=generator(self._id, level))
                self._tiles[level] = upload(drawn, self._spec.device)
            return self._tiles[level]

        found = clouds(self._way, self._level, self._spec.size, self._unit_px, tile)
        self._tiles = {level: self._tiles[level] for level in levels}
        return found

    @property
    def _unit_px(self) -> float:
        return float(self._spec.frame.width)

    def state_dict(self) -> dict[str, Tensor]:
        return {"world": self._way, "level": torch.tensor(self._level)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._way, self._level = state["world"].clone(), int(state["level"])
