"""Opening a film through PyAV: the file, its pictures' stream and their decoder, or a clear error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
import av.error

from pipeline.disk import require_regular
from pipeline.errors import MediaError


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The film at `path` and the first stream of its pictures that can be decoded. Raises MediaError."""
    with _container(path) as container:
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            raise MediaError(f"{path} holds no pictures, only sound or data; give a film")
        # PyAV's types do not say so, but a stream that nothing here can decode has no codec.
        stream = next((s for s in streams if s.codec_context is not None), None)
        if stream is None:
            raise MediaError(
                f"the pictures of {path} are in a codec that nothing here can decode; if it plays elsewhere, "
                "convert it there to H.264"
            )
        stream.thread_type = "AUTO"
        yield container, stream


def _container(path: Path) -> av.container.InputContainer:
    try:
        require_regular(path)
    except FileNotFoundError:
        raise MediaError(f"can't read the film {path}: no such file; check its path") from None
    except OSError as error:
        raise MediaError(f"can't read the film {path}: {_reason(error)}; give a film") from error
    try:
        return av.open(str(path))
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise MediaError(
            f"{path} can't be opened as a film ({_reason(error)}); if it is one, its index is missing, as in "
            f"a recording that was cut off; try to play it, or convert it with ffmpeg"
        ) from error


def packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[tuple[int, av.Packet]]:
    """The stream's packets with their numbers, up to the end or the first place that can't be read."""
    number = 0
    with contextlib.suppress(av.error.FFmpegError):
        for packet in container.demux(stream):
            if packet.size == 0 and packet.dts is None:
                continue  # PyAV's own sign that the file is over
            yield number, packet
            number += 1


def decoder_of(stream: av.VideoStream) -> av.VideoCodecContext:
    """The stream's decoder; for VP9 with alpha libvpx's, since ffmpeg's own leaves alpha out."""
    if stream.metadata.get("alpha_mode") == "1" and stream.codec_context.name == "vp9":
        decoder: av.VideoCodecContext = av.VideoCodecContext.create("libvpx-vp9", "r")
        decoder.extradata = stream.codec_context.extradata
        return decoder
    return stream.codec_context


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
