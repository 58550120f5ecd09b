"""Switches of torch and OpenCV, for the whole process, by which sums end in other last digits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal, cast

import cv2
import torch
from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import PipelineError

Precision = Literal["highest", "high", "medium"]


class Settings(BaseModel):
    """How they stand when a run is begun. They are the user's: a run goes on with them, and puts them back."""

    model_config = ConfigDict(frozen=True, strict=True)

    threads: int = Field(ge=1, le=4096)
    opencv_threads: int = Field(ge=0, le=4096)
    opencv_optimised: bool
    onednn: bool
    matmul: Precision
    deterministic: int = Field(ge=0, le=2)

    @classmethod
    def now(cls) -> Settings:
        """As they stand. Raises PipelineError where torch can't tell."""
        return cls(
            threads=torch.get_num_threads(),
            opencv_threads=cv2.getNumThreads(),
            opencv_optimised=cv2.useOptimized(),
            onednn=bool(torch.backends.mkldnn.enabled),
            matmul=_matmul_precision(),
            deterministic=torch.get_deterministic_debug_mode(),
        )

    def take(self) -> None:
        """Make them so."""
        torch.set_num_threads(self.threads)
        cv2.setNumThreads(self.opencv_threads)
        cv2.setUseOptimized(self.opencv_optimised)
        torch.backends.mkldnn.enabled = self.onednn  # type: ignore[assignment]
        torch.set_float32_matmul_precision(self.matmul)
        torch.set_deterministic_debug_mode(self.deterministic)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Make them so within the block."""
        before = Settings.now()
        self.take()
        try:
            yield
        finally:
            before.take()


def _matmul_precision() -> Precision:
    try:
        return cast(Precision, torch.get_float32_matmul_precision())
    except RuntimeError:  # torch has a newer way to set it, by backend, and refuses to be asked after both
        raise PipelineError(
            "the precision of torch's matrix products was set backend by backend (`fp32_precision`), which a run can't "
            "keep: call torch.set_float32_matmul_precision('highest') instead"
        ) from None
