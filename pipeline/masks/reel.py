"""Masks at work: one for every frame of a film."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size, size_of
from pipeline.masks.field import Mask, joined, simple_masks
from pipeline.masks.kinds import FilmMask, FoundMask, ImageMask, SimpleMask
from pipeline.media.footage import Timing, open_footage, pictures_at_constant_rate
from pipeline.ops.faces import on_faces
from pipeline.ops.luma import BT709, luma


class MaskReel:
    """A mask for frame after frame of a film at `fps`; what it shows depends on the frame and its index alone.

    A picture is read once: all frames have the same mask, though somebody edits the file meanwhile.
    """

    def __init__(self, config: Mask, fps: Fraction, on_sphere: bool = False) -> None:
        self._config = config
        self._reels = {each: _Reel(each, fps, on_sphere) for _, each in simple_masks(config)}

    def __call__(self, frame: Tensor, index: int) -> Tensor:
        """The mask (1, 1, H, W) in [0, 1] for frame `index`, (1, 3, H, W)."""
        return joined(self._config, lambda each: self._reels[each](frame, index))


class _Reel:
    """One of one kind."""

    def __init__(self, config: SimpleMask, fps: Fraction, on_sphere: bool) -> None:
        assert not isinstance(config, FoundMask), "a subject is followed, see `MovingMask`"
        self._config, self._fps, self._on_sphere = config, fps, on_sphere
        self._pictures: Iterator[Callable[[], Tensor]] = iter(())
        self._picture: Callable[[], Tensor] | None = None
        self._shown = -1
        self._still: Tensor | None = None
        self._size: Size | None = None

    def __call__(self, frame: Tensor, index: int) -> Tensor:
        size = size_of(frame)
        if isinstance(self._config, ImageMask):
            if self._still is None or self._size != size:
                self._still, self._size = self._config(frame, self._on_sphere), size
            return self._still
        if not isinstance(self._config, FilmMask):
            return self._config(frame, self._on_sphere)
        hard, soften = luma(self._screen(index, size), BT709), self._config.softened
        found = upload((on_faces(soften, hard) if self._on_sphere else soften(hard)).clamp(0, 1), frame.device)
        return 1 - found if self._config.invert else found

    def _screen(self, index: int, size: Size) -> Tensor:
        if self._size != size or index < self._shown:
            self._open(size)
        while self._shown < index and (picture := next(self._pictures, None)) is not None:
            self._picture, self._shown = picture, self._shown + 1
        assert self._picture is not None
        return self._picture()

    def _open(self, size: Size) -> None:
        """At its beginning, from which it is decoded on, not sought: a resumed film must find the same pictures."""
        assert isinstance(self._config, FilmMask)
        footage = open_footage(Path(self._config.film), self._fps)
        # Two frames more than the footage lasts: the last picture may be shown from between two frames on.
        timing = Timing(Fraction(0), footage.info.seconds + 2 / self._fps, Fraction(1), self._fps)
        self._pictures = pictures_at_constant_rate(footage, size, self._config.fit, timing, seek=False)
        self._picture, self._shown, self._size = None, -1, size
