"""What becomes of frames: the film, as presets set it, and whatever else watches it being made."""

from pipeline.outputs.base import Output, WhenSlow, require_output
from pipeline.outputs.beside import Beside
from pipeline.outputs.encode import EncodeConfig
from pipeline.outputs.encoding import encode
from pipeline.outputs.finishing import count_finished, finish, remove_finished, remove_half_written
from pipeline.outputs.hardware import require_encoder
from pipeline.outputs.latest import Latest, Shown
from pipeline.outputs.raw import Spool
from pipeline.outputs.rendition import Master, Rendition

__all__ = [
    "Beside",
    "EncodeConfig",
    "Latest",
    "Master",
    "Output",
    "Rendition",
    "Shown",
    "Spool",
    "WhenSlow",
    "count_finished",
    "encode",
    "finish",
    "remove_finished",
    "remove_half_written",
    "require_encoder",
    "require_output",
]
