"""The dream stage."""

from pipeline.stages.dream.config import DreamConfig
from pipeline.stages.dream.stage import Dream

__all__ = ["Dream", "DreamConfig"]
