"""A source from footage: each frame of the film is a fresh picture, and how it moved is known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor

from pipeline.errors import MediaError
from pipeline.frame import NOT_A_SPHERE, Size
from pipeline.media.ahead import Ahead
from pipeline.media.film import FilmInfo
from pipeline.media.footage import Step, Timing, at_constant_rate, follow, footage_info, open_footage
from pipeline.media.optical_flow import make_estimator, motion_finder
from pipeline.media.paths import MediaPath
from pipeline.media.picture import Fit
from pipeline.media.sound import Soundtrack
from pipeline.stages.base import EndOfFootage, Role, Source, StageConfig
from pipeline.stages.context import FrameContext
from pipeline.stages.shot import Shot
from pipeline.stages.spec import RunSpec
from pipeline.times import DurationField
from pipeline.units import MAX_SIDE, MIN_SIDE, parse_fps

_STILLS_FPS = Fraction(24)


def _parse_shots(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, list | tuple) and all(type(each) is int for each in value):
        return tuple(value)
    raise ValueError("must be true, false, or a list of frames at which shots begin, such as [48, 130]")


ShotsField = Annotated[bool | tuple[int, ...], BeforeValidator(_parse_shots)]


class VideoConfig(StageConfig):
    """Dream over footage. Size, fps and duration of the preset are the film's where it leaves them out."""

    role: ClassVar[Role] = Role.SOURCE
    continues: ClassVar[bool] = False
    path: MediaPath = Field(
        description="a film in any format, an animated GIF, a folder of pictures, shot_%04d.png or shot_*.png"
    )
    start: DurationField | None = Field(None, description="where in the film to begin: 2.5s, 1m30s, 40f (film frames)")
    end: DurationField | None = Field(None, description="where in the film to end; its own end if left out")
    speed: float = Field(1.0, ge=0.01, le=100, description="0.5 is slow motion, 2 twice as fast; sound follows")
    fit: Fit = Field(
        "crop",
        description="crop: fill the frame; pad: show all, margins mirrored; stretch: change the proportions",
    )
    hdr: Literal["refuse", "tone-map"] = Field(
        "refuse",
        description="what becomes of HDR (PQ or HLG): tone-map brings it to what other films have, by the curve of "
        "ITU-R BT.2390",
    )
    motion: Literal["dis", "raft", "raft-small", "none"] = Field(
        "dis", description="how motion is found: dis on the CPU, raft on the run's device; none: nothing moves"
    )
    weights: MediaPath | None = Field(
        None, description="RAFT's weights, torchvision's .pth or .safetensors; fetched if left out"
    )
    motion_size: int = Field(
        960, ge=64, le=8192, description="longest side in pixels that motion is found at; more is finer and slower"
    )
    cut_threshold: float = Field(
        27.0, ge=0, le=255, description="change of hue, saturation, value above which a new scene begins; 255: never"
    )
    shots: ShotsField = Field(
        False,
        description="true cuts the film at its footage's cuts into shots that are rendered by themselves, each with a "
        "seed of its own, side by side with `--workers`; or the film's frames at which shots begin: [48, 130]",
    )
    shot: Shot | None = Field(
        None, description="which shot of which film this is; written by dreamreel, in the runs of a film's shots"
    )

    @property
    def part(self) -> Shot | None:
        return self.shot

    @property
    def cut_into_shots(self) -> bool:
        return self.shots is not False

    def _info(self, fps: Fraction) -> FilmInfo:
        return footage_info(Path(self.path), fps, hdr=self.hdr == "tone-map")

    def timing(self, fps: Fraction) -> Timing:
        """Which part of the film is shown, how fast, at `fps`. Raises MediaError when there is no such part."""
        info = self._info(fps)
        start = Fraction(0) if self.start is None else self.start.to_seconds(info.fps)
        end = None if self.end is None else self.end.to_seconds(info.fps)
        end = info.seconds if end is None else min(info.seconds, end)
        start = info.seconds if start is None else start
        if start >= end:
            asked = f"from {self.start or '0s'} to {self.end or 'its end'}"
            raise MediaError(f"{self.path} lasts {float(info.seconds):.3f}s: nothing lies {asked}; move start or end")
        speed = Fraction(str(self.speed))
        if self.shot is not None:
            start += self.shot.first * speed / fps
            end = start + self.shot.frames * speed / fps
        return Timing(start, end, speed, fps)

    def natural(self, given: Mapping[str, object]) -> dict[str, object]:
        info = self._info(_STILLS_FPS)
        try:
            fps = parse_fps(given.get("fps", info.fps))
        except ValueError:
            return {}  # the preset's own check will say so
        if "size" not in given and (min(info.size) < MIN_SIDE or max(info.size) > MAX_SIDE):
            raise MediaError(f"{self.path} is {info.size}, a frame's sides are {MIN_SIDE} to {MAX_SIDE}; give a `size`")
        size = Size(*(max(MIN_SIDE, 2 * round(side / 2)) for side in info.size))
        return {"size": str(size), "fps": str(fps), "duration": f"{self.timing(fps).frames}f"}

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        try:
            timing = self.timing(spec.fps)
        except MediaError as error:
            yield "path", str(error)
            return
        size = self._info(spec.fps).size
        if spec.on_sphere and not (size.is_sphere or self.fit == "stretch"):
            yield "path", f"{self.path} is {size}; {NOT_A_SPHERE}, or `fit: stretch` it"
        if spec.frames is not None and spec.frames > timing.frames:
            had = f"{timing.frames}f ({float(timing.frames / spec.fps):.2f}s)"
            yield "path", f"lasts {had} here, `duration` is {spec.frames}f; shorten it, or leave it out"
        yield from self._problems_of_shots(spec)
        if self.weights is not None and not Path(self.weights).is_file():
            yield "weights", f"can't be read: no such file as {self.weights}; name one, or leave it out"

    def _problems_of_shots(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if self.shot is not None and self.cut_into_shots:
            yield "shots", "cuts a film, and this is one shot of a film; leave it out"
        begins = self.shots if isinstance(self.shots, tuple) else ()
        last = spec.checked_frames - 1
        if list(begins) != sorted({*begins}) or any(not 0 < each <= last for each in begins):
            yield "shots", f"is {list(begins)}, must be rising frames from 1 to {last}, each the first of a shot"

    def notes(self) -> list[str]:
        path = Path(self.path)
        return [f"{path.name}: {note}" for note in self._info(_STILLS_FPS).notes]

    def sound(self, fps: Fraction) -> Soundtrack | None:
        path = Path(self.path)
        if not path.is_file():
            return None  # a row of stills
        return Soundtrack(path, self._info(fps).origin + self.timing(fps).start, Fraction(str(self.speed)))


class Video(Source[VideoConfig]):
    """Shows the film. Decoding and motion run ahead in a thread each; nothing but a check is carried on resume."""

    def __init__(self, config: VideoConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._footage = open_footage(Path(config.path), spec.fps, hdr=config.hdr == "tone-map")
        self._timing = config.timing(spec.fps)
        self._workers: list[Ahead[Tensor] | Ahead[Step]] = []
        self._steps: Iterator[Step] | None = None
        self._next = 0
        self._last: Tensor | None = None
        self._expected: tuple[int, bytes] | None = None
        self._estimate = None
        if spec.wants_motion and config.motion != "none":
            weights = None if config.weights is None else Path(config.weights)
            estimator = make_estimator(config.motion, weights, spec.device)
            self._estimate = motion_finder(estimator, config.motion_size, spec.on_sphere)

    def __call__(self, ctx: FrameContext) -> Tensor:
        if self._steps is None or ctx.index != self._next:
            self._open_at(ctx.index)
        assert self._steps is not None
        step = next(self._steps, None)
        if step is None:
            raise EndOfFootage
        self._next, self._last = ctx.index + 1, step.picture
        return self._show(step, ctx)

    def _show(self, step: Step, ctx: FrameContext) -> Tensor:
        device = self.spec.device
        picture = step.picture.to(device, non_blocking=True)
        before = None if step.before is None else step.before.to(device, non_blocking=True)
        motion = None if step.motion is None else step.motion.to(device)
        ctx.show(picture, before, motion, step.cut)
        return picture

    def _open_at(self, index: int) -> None:
        """Begin at frame `index`, with the one before it known. A seek that finds another picture is not believed."""
        for seek in (True, False):
            self._start(max(0, index - 1), seek=seek)
            assert self._steps is not None
            before = next(self._steps, None) if index > 0 else None
            if self._expected is None or self._expected[0] != index - 1:
                return
            if before is not None and _digest(before.picture) == self._expected[1]:
                return
        raise MediaError(
            f"frame {index - 1} of {self.config.path} is not what it was when the run was interrupted: the film "
            "was changed; bring the old one back, or start the render anew"
        )

    def _start(self, first: int, *, seek: bool) -> None:
        self.close()
        pictures = at_constant_rate(self._footage, self.spec.size, self.config.fit, self._timing, first, seek=seek)
        decoded = Ahead(pictures)
        steps = follow(decoded, self._estimate, self.config.cut_threshold)
        followed = Ahead(_pinned(steps) if self.spec.device.type == "cuda" else steps)
        self._workers = [decoded, followed]
        self._steps = iter(followed)

    def fits(self, spec: RunSpec) -> bool:
        return spec.wants_motion == self.spec.wants_motion

    def changed(self, config: VideoConfig, spec: RunSpec, index: int) -> Video:
        """The same frame of the film comes next, by the new config's clock: another `speed` jumps."""
        successor = Video(config, spec)
        if all(getattr(config, key) == getattr(self.config, key) for key in ("path", "start", "speed", "fit")):
            successor.load_state_dict(self.state_dict())
        return successor

    def state_dict(self) -> dict[str, Tensor]:
        shown = self._expected if self._last is None else (self._next - 1, _digest(self._last))
        if shown is None:
            return {}
        index, digest = shown
        return {"index": torch.tensor(index), "digest": torch.frombuffer(bytearray(digest), dtype=torch.uint8)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._expected = (int(state["index"]), bytes(state["digest"].tolist())) if state else None

    def report(self) -> list[str]:
        name = Path(self.config.path).name
        notes = [f"{name}: {note}" for note in self._footage.info.notes]
        if self._footage.broken:
            packets = "1 damaged packet" if self._footage.broken == 1 else f"{self._footage.broken} damaged packets"
            notes.append(f"{name}: {packets} can't be decoded; the picture before is shown instead")
        if self._footage.missing > 1 / self._footage.info.fps:
            notes.append(f"{name}: its last {float(self._footage.missing):.2f}s can't be decoded; the film ends there")
        return notes

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self._workers, self._steps = [], None


def _pinned(steps: Iterator[Step]) -> Iterator[Step]:
    """The steps in pinned memory, from which a device fetches them without anyone waiting."""
    before: Tensor | None = None
    for step in steps:
        picture = step.picture.pin_memory()
        yield step._replace(
            picture=picture,
            before=before,
            motion=None if step.motion is None else step.motion.pinned(),
        )
        before = picture


def _digest(picture: Tensor) -> bytes:
    return hashlib.sha256(picture.contiguous().numpy().tobytes()).digest()
