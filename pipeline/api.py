"""All that the author of a stage needs; other names inside `pipeline` may move.

    class FadeConfig(StageConfig):
        'Let the picture fade to black.'

        rate: Annotated[CurveField, Within(0, 10)] = Field(Constant(0.5), description="how fast, a second")

    class Fade(Effect[FadeConfig]):
        def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
            return frame * math.exp(-self.config.rate.at(ctx.moment) / float(self.spec.fps))

    STAGE = StageType(FadeConfig, Fade)

An entry point `fade = "my_package:STAGE"` of the group `dreamreel.stages` makes it a stage of presets once the package
is installed. Frames are (1, 3, H, W) float32 in [0, 1], RGB, sRGB-encoded, on `spec.device`; nobody writes to a frame
that was given to him. Whatever a stage keeps from frame to frame goes through `state_dict`, whatever it draws by lot
through `ctx.generator`: then a film that is killed and resumed has the same bytes. `pipeline.testing` tries all that.

A config says what is wrong with it in a run by `problems`: `yield "rate", "is 3 at 1 fps, must be below 1"`. A stage
raises PipelineError for what the user can change while it is built or asked for a frame.
"""

from pydantic import Field

from pipeline.curves import Constant, CurveField, CurveList, CurvePair, Moments, Within
from pipeline.device import constant, upload
from pipeline.errors import PipelineError
from pipeline.frame import Size
from pipeline.media.paths import MediaPath
from pipeline.media.sound import Soundtrack
from pipeline.ops.motion import Motion
from pipeline.stages import (
    Effect,
    EndOfFootage,
    FrameContext,
    Role,
    RunSpec,
    Source,
    StageConfig,
    StageType,
)
from pipeline.stages.grade import Grade, GradeConfig
from pipeline.times import SpanField, Time, parse_span

__all__ = [
    "Constant",
    "CurveField",
    "CurveList",
    "CurvePair",
    "Effect",
    "EndOfFootage",
    "Field",
    "FrameContext",
    "Grade",
    "GradeConfig",
    "MediaPath",
    "Moments",
    "Motion",
    "PipelineError",
    "Role",
    "RunSpec",
    "Size",
    "Soundtrack",
    "Source",
    "SpanField",
    "StageConfig",
    "StageType",
    "Time",
    "Within",
    "constant",
    "parse_span",
    "upload",
]
