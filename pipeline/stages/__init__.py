"""Every stage by the name presets use: its config, and the class that does the work."""

from typing import Any, NamedTuple

from pipeline.stages.base import Effect, EndOfFootage, Entry, Role, Source, Stage, StageConfig
from pipeline.stages.context import FrameContext
from pipeline.stages.dream import Dream, DreamConfig
from pipeline.stages.flow import Flow, FlowConfig
from pipeline.stages.grain import Grain, GrainConfig
from pipeline.stages.hold import Hold, HoldConfig
from pipeline.stages.image import Image, ImageConfig
from pipeline.stages.loop import Loop, LoopConfig
from pipeline.stages.noise import Noise, NoiseConfig
from pipeline.stages.palette import Palette, PaletteConfig
from pipeline.stages.sharpen import Sharpen, SharpenConfig
from pipeline.stages.spec import RunSpec
from pipeline.stages.sphere import Sphere, SphereConfig
from pipeline.stages.tone import Tone, ToneConfig
from pipeline.stages.video import Video, VideoConfig
from pipeline.stages.zoom import Zoom, ZoomConfig


class StageType(NamedTuple):
    """What makes one kind of stage: `build(config, spec)`."""

    config: type[StageConfig]
    build: type[Stage[Any]]


STAGES: dict[str, StageType] = {
    "noise": StageType(NoiseConfig, Noise),
    "image": StageType(ImageConfig, Image),
    "video": StageType(VideoConfig, Video),
    "zoom": StageType(ZoomConfig, Zoom),
    "sphere": StageType(SphereConfig, Sphere),
    "dream": StageType(DreamConfig, Dream),
    "flow": StageType(FlowConfig, Flow),
    "palette": StageType(PaletteConfig, Palette),
    "hold": StageType(HoldConfig, Hold),
    "tone": StageType(ToneConfig, Tone),
    "sharpen": StageType(SharpenConfig, Sharpen),
    "grain": StageType(GrainConfig, Grain),
    "loop": StageType(LoopConfig, Loop),
}

__all__ = [
    "STAGES",
    "Effect",
    "EndOfFootage",
    "Entry",
    "FrameContext",
    "Role",
    "RunSpec",
    "Source",
    "Stage",
    "StageConfig",
    "StageType",
]
