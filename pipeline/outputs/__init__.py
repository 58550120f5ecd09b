"""What becomes of frames: the film, as presets set it, and whatever else watches it being made."""

from pipeline.outputs.base import Output, WhenSlow, require_output
from pipeline.outputs.beside import Beside
from pipeline.outputs.encode import EncodeConfig, encode
from pipeline.outputs.latest import Latest, Shown

__all__ = ["Beside", "EncodeConfig", "Latest", "Output", "Shown", "WhenSlow", "encode", "require_output"]
