"""Encoders in hardware: which there are, and whether they work here. Their bytes are not those of software."""

from __future__ import annotations

from typing import Literal

from pipeline.errors import MediaError
from pipeline.media.ffmpeg import has_encoder, run_ffmpeg
from pipeline.outputs.formats import FORMATS, FormatName

EncoderName = Literal["software", "nvenc", "qsv", "amf", "vaapi", "videotoolbox"]
IN_HARDWARE = ("h264", "hevc", "av1")
_VAAPI_DEVICE = "/dev/dri/renderD128"


def encoder_of(encoder: EncoderName, format: FormatName) -> str:
    """What ffmpeg calls the encoder."""
    return FORMATS[format].encoder if encoder == "software" else f"{format}_{encoder}"


def before_input(encoder: EncoderName) -> tuple[str, ...]:
    """Options that stand before ffmpeg's input."""
    return ("-vaapi_device", _VAAPI_DEVICE) if encoder == "vaapi" else ()


def surface(encoder: EncoderName, bits: int) -> tuple[str, str]:
    """The pixel format that the encoder takes, and the filter that brings pictures to it, if one is needed."""
    planar = "yuv420p" if encoder in ("nvenc", "videotoolbox") else "nv12"
    pixels = planar if bits == 8 else "p010le"
    return (pixels, f",format={pixels},hwupload") if encoder == "vaapi" else (pixels, "")


def quality(encoder: EncoderName, crf: int) -> tuple[str, ...]:
    """Options for a quality on x264's scale, as near as the encoder has it."""
    number = str(crf)
    match encoder:
        case "nvenc":
            return ("-rc", "vbr", "-cq", number, "-b:v", "0")
        case "qsv":
            return ("-global_quality", number)
        case "amf":
            return ("-rc", "cqp", "-qp_i", number, "-qp_p", number)
        case "vaapi":
            return ("-rc_mode", "CQP", "-qp", number)
        case "videotoolbox":
            return ("-q:v", str(max(1, 100 - 2 * crf)))
    return ("-crf", number)


def require_encoder(encoder: EncoderName, format: FormatName, bits: int) -> None:
    """Raises MediaError when ffmpeg lacks the encoder, or it can't write a few frames on this machine."""
    name = encoder_of(encoder, format)
    if name and not has_encoder(name):
        other = "leave out `encoder`" if encoder != "software" else "choose another `format`"
        raise MediaError(f"this ffmpeg can't write {format}: it has no {name}; {other}, or set another ffmpeg")
    if encoder == "software":
        return
    pixels, filters = surface(encoder, bits)
    try:
        run_ffmpeg(
            [
                *before_input(encoder),
                *("-f", "lavfi", "-i", "color=size=256x256:rate=24", "-frames:v", "3"),
                *("-vf", f"null{filters}"),
                *(() if filters else ("-pix_fmt", pixels)),
                *("-c:v", name, "-f", "null", "-"),
            ],
            f"trying {name}",
        )
    except MediaError as error:
        raise MediaError(f"{name} does not work on this machine; leave out `encoder`: software does. {error}") from None
