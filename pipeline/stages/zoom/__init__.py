"""The camera: zoom, turn, pan, shear and tilt, in units per second."""

from pipeline.stages.zoom.config import ZoomConfig
from pipeline.stages.zoom.stage import Zoom

__all__ = ["Zoom", "ZoomConfig"]
