"""From a spool of raw frames to a piece of an output, through ffmpeg."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from pipeline.frame import Size
from pipeline.media.ffmpeg import run_ffmpeg
from pipeline.outputs.formats import KEPT, Format
from pipeline.outputs.hardware import before_input, encoder_of, quality, surface
from pipeline.outputs.raw import RAW_PIXELS, Spool, fed
from pipeline.outputs.rendition import Rendition

_BT709 = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int"
_TAGS = ("-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")


def encode(spool: Spool, target: Path, rendition: Rendition) -> None:
    """Encode the frames of a spool as a piece of an output, which begins with a picture that decodes by itself.

    Frame n is at exactly n/fps where the container can say so. The same frames give the same bytes: no encoder here
    takes the number of processors for more than x264 does, and `bitexact` leaves out dates and versions. Raises
    MediaError with ffmpeg's last lines.
    """
    plain = rendition.is_plain and spool.deep == rendition.is_deep
    alpha = rendition.config.transparent
    pixels = RAW_PIXELS[rendition.is_deep, alpha]
    source = str(spool.path) if plain else "pipe:0"
    run_ffmpeg(
        [
            *before_input(rendition.config.encoder),
            *_raw(pixels, rendition.size, rendition.fps, source),
            *("-frames:v", str(rendition.frames(spool.end) - rendition.frames(spool.first))),
            *_codec(rendition, alpha),
            *("-video_track_timescale", str(rendition.fps.numerator)),
            *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", _MUXERS[target.suffix]),
            str(target),
        ],
        f"encoding {target}",
        fed=None if plain else fed(spool, rendition),
    )


_MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".nut": "nut"}


def _raw(pixels: str, size: Size, fps: Fraction, source: str) -> list[str]:
    return ["-f", "rawvideo", "-pix_fmt", pixels, "-s", str(size), "-r", str(fps), "-i", source]


def _codec(rendition: Rendition, alpha: bool) -> list[str]:
    """The encoder, what it is told, and the pixels that it gets."""
    config = rendition.config
    form = _kept_as(config.form)
    pixels, filters = form.pixels[config.depth].opaque, ""
    if config.encoder != "software":
        pixels, filters = surface(config.encoder, config.depth)
    elif alpha:
        pixels = form.pixels[config.depth].transparent or pixels
    options = ["-c:v", encoder_of(config.encoder, config.format) or form.encoder]
    if pixels.startswith(("yuv", "nv", "p0")):
        options = ["-vf", _BT709 + filters, *(() if "hwupload" in filters else ("-pix_fmt", pixels)), *options]
        options += _TAGS
    else:
        options = ["-pix_fmt", pixels, *options]
    if config.crf is not None:
        options += quality(config.encoder, config.crf)
    if config.preset is not None:
        options += form.speeds[config.preset]
    return options if config.encoder != "software" else [*options, *form.options]


def _kept_as(form: Format) -> Format:
    """What pieces are encoded as."""
    return KEPT if form.kind == "animation" else form
