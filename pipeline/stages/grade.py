"""What stages that colour the picture share."""

from __future__ import annotations

from typing import TypeVar

from pydantic import Field

from pipeline.stages.base import Effect, StageConfig


class GradeConfig(StageConfig):
    """What stages that colour the picture share."""

    shown_only: bool = Field(
        False,
        description="true: only the film shows it, and the dream goes on without; false: it goes round with the "
        "picture, and its values say what it does in a second of film",
    )

    @property
    def feeds_back(self) -> bool:
        return not self.shown_only


GradeT = TypeVar("GradeT", bound=GradeConfig)


class Grade(Effect[GradeT]):
    """Colours a picture: by a rate per second where that goes round with it, at once where it does not."""

    @property
    def seconds(self) -> float:
        """How much of a second's work a frame gets."""
        return float(1 / self.spec.fps) if self.config.feeds_back and self.spec.feeds_back else 1.0
