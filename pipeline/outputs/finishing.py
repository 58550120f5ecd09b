"""From an output's pieces to what the user gets: a film, a folder of pictures, or an animation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from PIL import Image

from pipeline.activity import report
from pipeline.disk import PARTIAL, is_partial_of, make_folder, partial_path, remove, replacing, write_whole
from pipeline.errors import MediaError
from pipeline.media.ffmpeg import run_ffmpeg
from pipeline.media.joining import count_frames, join
from pipeline.media.sound import Soundtrack
from pipeline.outputs.rendition import Rendition

_NUMBER = re.compile(r"\d{6,}")
_DITHER = "paletteuse=dither=sierra2_4a:diff_mode=rectangle"


def finish(
    pieces: Sequence[Path], target: Path, rendition: Rendition, comment: str, sound: Soundtrack | None = None
) -> None:
    """Make the output of its pieces; the same pieces give the same bytes. Only films have sound and a comment.

    Raises MediaError as `join` does, OSError for the disk.
    """
    match rendition.config.form.kind:
        case "film":
            join(pieces, target, rendition.fps, comment, sound, on_sphere=rendition.master.on_sphere)
        case "pictures":
            _write_pictures(pieces, target, rendition)
        case "animation":
            _animate(pieces, target, rendition)


def count_finished(target: Path, rendition: Rendition) -> int:
    """How many frames a finished output has. Raises MediaError when that can't be told."""
    kind = rendition.config.form.kind
    if kind == "pictures":
        return len(_pictures_in(target, rendition))
    if kind == "film":
        return count_frames(target)
    try:
        with Image.open(target) as animation:
            return int(getattr(animation, "n_frames", 1))
    except OSError as error:
        raise MediaError(f"{target} can't be read back: {error}") from error


def remove_finished(target: Path, rendition: Rendition) -> None:
    """Remove a finished output, and nobody else's files."""
    if rendition.config.form.kind != "pictures":
        remove(target)
        return
    for picture in _pictures_in(target, rendition):
        remove(picture)
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()


def remove_half_written(target: Path, rendition: Rendition) -> None:
    """Remove the picture that a process was writing when it died."""
    if rendition.config.form.kind == "pictures" and target.is_dir():
        for path in target.iterdir():
            if is_partial_of(path, {path.stem.partition(PARTIAL)[0]}) and _NUMBER.match(path.stem):
                remove(path)


def _pictures_in(folder: Path, rendition: Rendition) -> list[Path]:
    found = folder.glob(f"*.{rendition.config.suffix}") if folder.is_dir() else ()
    return [path for path in found if _NUMBER.fullmatch(path.stem)]


def _write_pictures(pieces: Sequence[Path], folder: Path, rendition: Rendition) -> None:
    """Each packet of the pieces is a whole file: `000000.png` is the first."""
    make_folder(folder)
    for number, picture in enumerate(_packets(pieces)):
        write_whole(folder / f"{number:06d}.{rendition.config.suffix}", picture)


def _packets(pieces: Sequence[Path]) -> Iterator[bytes]:
    for number, piece in enumerate(pieces):
        report("writing the pictures", number, len(pieces))
        try:
            with av.open(str(piece)) as container:
                yield from (bytes(packet) for packet in container.demux(video=0) if packet.size > 0)
        except (av.FFmpegError, IndexError) as error:
            raise MediaError(f"{piece} can't be read back: {error}") from error


def _animate(pieces: Sequence[Path], target: Path, rendition: Rendition) -> None:
    """Encode anew what was kept without loss, all of it at once: an animation can't be joined by copying."""
    report("encoding the animation")
    whole = partial_path(target.with_suffix(".mkv"), ".mkv")
    palette = partial_path(target.with_suffix(".png"), ".png")
    try:
        join(pieces, whole, rendition.fps, "")
        source = ("-r", str(rendition.fps), "-i", str(whole))
        if rendition.config.format == "gif":
            _find_palette(source, palette, rendition)
        with replacing(target) as partial:
            run_ffmpeg(
                [*source, *_options(palette, rendition), "-fflags", "+bitexact", "-flags:v", "+bitexact", str(partial)],
                f"encoding {target}",
            )
    finally:
        whole.unlink(missing_ok=True)
        palette.unlink(missing_ok=True)


def _find_palette(source: Sequence[str], palette: Path, rendition: Rendition) -> None:
    # In a run of its own: in one with the encoding, ffmpeg would hold the whole film in memory.
    reserved = int(rendition.config.transparent)
    filters = f"palettegen=stats_mode=full:reserve_transparent={reserved}"
    run_ffmpeg([*source, "-vf", filters, "-frames:v", "1", "-update", "1", str(palette)], "finding the gif's colours")


def _options(palette: Path, rendition: Rendition) -> list[str]:
    config = rendition.config
    pixels = config.form.pixels[config.depth]
    chosen = (config.transparent and pixels.transparent) or pixels.opaque
    match config.format:
        case "gif":
            return ["-i", str(palette), "-lavfi", f"[0][1]{_DITHER}", "-loop", "0", "-f", "gif"]
        case "webp":
            assert config.quality is not None
            lossless = config.quality == 100
            pixels_kept = "bgra" if lossless else "yuva420p" if config.transparent else "yuv420p"
            how = ["-lossless", str(int(lossless)), "-quality", str(config.quality), "-loop", "0"]
            return ["-pix_fmt", pixels_kept, "-c:v", "libwebp_anim", *how, "-f", "webp"]
    return ["-pix_fmt", chosen, "-c:v", "apng", "-plays", "0", "-f", "apng"]
