"""Stills: pictures that were dropped on the page, and the dreams over them. They lie in the folder's `stills`."""

from __future__ import annotations

import io
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipeline.disk import write_whole
from pipeline.errors import PipelineError
from pipeline.media.decoding import MAX_PIXELS
from pipeline.preset.names import name_from
from pipeline.studio.answers import Refused
from pipeline.studio.feed import Board
from pipeline.studio.library import Library
from pipeline.studio.workshop import Workshop

FOLDER = "stills"
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "TIFF": ".tif"}
_ORIENTATION, _ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class StillFiles:
    """Where one still's files lie."""

    folder: Path
    original: Path

    @property
    def view(self) -> Path:
        """The original as a JPEG."""
        return self.folder / "view" / "original.jpg"

    @property
    def result(self) -> Path:
        """The dream, with all its bits."""
        return self.folder / f"{self.original.stem}-dream.png"

    @property
    def result_view(self) -> Path:
        """The dream as a JPEG."""
        return self.folder / "view" / "result.jpg"


class StillShelf:
    """The stills of a folder."""

    def __init__(self, library: Library, workshop: Workshop, board: Board) -> None:
        self._folder = library.folder / FOLDER
        self._workshop, self._board = workshop, board
        self._dreaming: set[str] = set()

    def add(self, name: str, data: bytes) -> dict[str, object]:
        """Keep a picture; returns its id and size. Raises Refused for what is none."""
        suffix, width, height = _header(data)
        id_ = secrets.token_hex(6)
        folder = self._folder / id_
        stem = name_from(Path(name.replace("\\", "/")).stem or "picture")
        try:
            (folder / "view").mkdir(parents=True)
            write_whole(folder / f"{stem}{suffix}", data)
        except OSError as error:
            raise Refused(409, f"{folder} can't be written: {error.strerror or error}") from None
        return {"id": id_, "width": width, "height": height}

    def find(self, id_: str) -> StillFiles:
        """The files of a still. Raises Refused."""
        folder = self._folder / id_
        if _ID.fullmatch(id_) is None or not folder.is_dir() or folder.is_symlink():
            raise Refused(404, "there is no such picture (any more); drop it again")
        originals = [path for path in sorted(folder.iterdir()) if path.suffix in _SUFFIXES.values()]
        originals = [path for path in originals if not path.stem.endswith("-dream")]
        if not originals:
            raise Refused(404, "the picture has gone; drop it again")
        return StillFiles(folder, originals[0])

    async def view(self, id_: str) -> Path:
        """The original as a JPEG. Raises Refused, PipelineError."""
        files = self.find(id_)
        if not files.view.is_file():
            await self._workshop.do({"kind": "open", "path": str(files.original), "view": str(files.view)})
        return files.view

    async def dream(self, id_: str, text: str, base: Path) -> None:
        """Dream over a still by a preset's dream; the board is told how far it is, and how it ended."""
        files = self.find(id_)
        if id_ in self._dreaming:
            raise Refused(409, "this picture is being dreamt on already")
        self._dreaming.add(id_)
        self._tell(id_, "waiting", 0.0)
        job = {"kind": "dream", "text": text, "base": str(base), "path": str(files.original)}
        job |= {"result": str(files.result), "view": str(files.result_view)}
        try:
            await self._workshop.do(job, lambda share: self._tell(id_, "dreaming", share))
            self._tell(id_, "finished", 1.0)
        except PipelineError as error:
            self._tell(id_, "failed", 0.0, str(error))
        finally:
            self._dreaming.discard(id_)

    def _tell(self, id_: str, state: str, progress: float, message: str = "") -> None:
        news = {"type": "still", "id": id_, "state": state, "progress": progress, "message": message}
        self._board.tell(f"still-{id_}", news)


def _header(data: bytes) -> tuple[str, int, int]:
    """A picture's suffix, width and height, upright, by its first bytes: nothing is decoded. Raises Refused."""
    try:
        with Image.open(io.BytesIO(data), formats=[*_SUFFIXES]) as image:
            kind, (width, height) = str(image.format), image.size
            on_its_side = image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
    except Exception:  # Pillow lets whatever happens to its readers through
        raise Refused(415, "is no picture that can be read; save it as PNG, JPEG, WebP or TIFF") from None
    if width * height > MAX_PIXELS:
        raise Refused(413, f"is {width}x{height}, may have at most {MAX_PIXELS / 1e6:.0f} megapixels")
    return _SUFFIXES[kind], *((height, width) if on_its_side else (width, height))
