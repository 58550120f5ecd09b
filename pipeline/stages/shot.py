"""A shot: the part of a film between two cuts of its footage, rendered as a run of its own."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Shot(BaseModel):
    """Which part of which film a run is; all lengths are frames of the film."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    number: int = Field(ge=1, description="the first is 1")
    first: int = Field(ge=0, description="the frame of the film that it begins with")
    frames: int = Field(ge=1, description="how many it has")
    film: int = Field(ge=1, description="how many the film has")
