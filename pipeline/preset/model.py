"""The preset as a model: what the top level holds, and the chain of stage configs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SerializeAsAny, WithJsonSchema, field_validator

from pipeline.device import DEVICE_NAMES, is_device_name, likely_device
from pipeline.errors import MediaError
from pipeline.frame import Projection, Size
from pipeline.listen import SOURCE, ListenField, hear, song_of
from pipeline.media.inputs import Input
from pipeline.media.paths import AudioField
from pipeline.media.sound import Soundtrack
from pipeline.outputs import EncodeConfig, Master, Rendition
from pipeline.plugins import Offer
from pipeline.preset.changes import ChangesField
from pipeline.preset.entries import entry_name
from pipeline.preset.hearing import Hearing
from pipeline.preset.inputs import named_inputs
from pipeline.preset.names import require_name
from pipeline.preset.notes import notes_on
from pipeline.preset.scene import SCHEMA, Scene
from pipeline.preset.written import plain_yaml, resolved, with_inputs
from pipeline.signals import Signals
from pipeline.stages import Entry, RunSpec, StageConfig
from pipeline.stages.lookup import package_of_stage
from pipeline.times import DurationField, PauseField, SpanField, parse_duration
from pipeline.units import FpsField, SizeField, parse_fps, parse_size

Requirement = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(==[A-Za-z0-9.!+_-]+)?$")]


if TYPE_CHECKING:
    Scenes = tuple[Scene, ...]
else:  # which the loader makes of mappings, each of them a preset
    Scenes = Annotated[tuple[Any, ...], WithJsonSchema(SCHEMA)]

MUTE_SOURCE = "is source, and the source has no sound; name a file with sound"


class Preset(BaseModel):
    """One film, described whole. Made by `load_preset`; frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    extends: str | tuple[str, ...] = Field(
        (),
        exclude=True,
        description="what the preset begins as, before its own keys replace some: another preset's file, the name of "
        "one on `dreamreel presets`, or a list of them, of which later ones win",
    )
    vars: dict[str, Any] = Field(
        {},
        exclude=True,
        max_length=256,
        description="values by names of yours: {speed: 1.3}; `${speed}` stands for one, and `--set vars.speed=2` "
        "gives it another",
    )
    name: str = Field(
        max_length=1000,
        description="names the film and its folder; letters, digits, blanks and . + - _ (the file's name if left out)",
    )
    size: SizeField = Field(parse_size("640x360"), description="WIDTHxHEIGHT in pixels")
    margin: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how far the dream reaches beyond the frame on each side, unseen, as a share of its width and "
        "height; what a camera that moves out or aside comes to is made there before it is shown",
    )
    projection: Projection = Field(
        "flat",
        description="flat, or equirectangular: a whole sphere around the viewer, for 360-degree players and headsets; "
        "its `size` is twice as wide as high, its camera is `stage: sphere`",
    )
    fps: FpsField = Field(parse_fps(24), description="frames per second: 24, 23.976 or 30000/1001")
    duration: DurationField = Field(
        parse_duration("10s"), description="length of the film: 20s, 1m30s, 600f, or endless"
    )
    lead_in: SpanField | None = Field(
        None,
        description="how much film is rendered before the first frame and not shown, so that it begins settled",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="another seed gives another film")
    device: str = Field("auto", description="what computes: auto takes CUDA where there is one, else the CPU")
    listen: ListenField | None = Field(
        None,
        description="the song that numbers may follow, by `beat`, `loud` and more: song.flac, source (the footage's "
        "own sound), or {path: song.flac, bpm: 120, stems: {drums: drums.wav}}; the film is as long and carries it",
    )
    audio: AudioField = Field(
        "source",
        description="the film's sound: none, source (the footage's own), song (what `listen` names), or a file",
    )
    plugins: dict[str, Requirement] = Field(
        {},
        max_length=64,
        description="stages of other packages, and the package as pip takes it: "
        "{kaleidoscope: dreamreel-kaleidoscope==0.1.0}; written for you where a preset is written out",
    )
    keep: PauseField = Field(
        parse_duration("4s"),
        description="how much film lies between the states that a run keeps to branch from, such as 10s; or none",
    )
    changes: ChangesField = Field(
        (),
        description="what becomes of the stages on the way: [{at: 12s, set: {dream.layer: blocks.4.1}}]",
    )
    scenes: Scenes = Field(
        (),
        exclude=True,
        description="several chains in one film: [{extends: tide, duration: 8s}, {extends: spiral, fade: 2s}], each a "
        "preset of its own, faded in over the one before; what belongs to the whole film stands above them",
    )
    stages: tuple[SerializeAsAny[Entry], ...] = Field(description="the chain: a source, effects, encode")

    _changed: tuple[Preset, ...] = PrivateAttr(())
    _origin: str | None = PrivateAttr(None)
    _heard: Signals | None = PrivateAttr(None)
    _hearing: Hearing | None = PrivateAttr(None)

    @field_validator("name")
    @classmethod
    def _fit_for_files(cls, name: str) -> str:
        return require_name(name)

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not is_device_name(device):
            raise ValueError(f"must be {DEVICE_NAMES}")
        return device

    @property
    def origin(self) -> str | None:
        """The file the preset was loaded from."""
        return self._origin

    @property
    def chain(self) -> tuple[StageConfig, ...]:
        """What makes a frame: the source, then the effects. They stand first among `stages`, with the same indices."""
        return tuple(config for config in self.stages if isinstance(config, StageConfig))

    @property
    def turns(self) -> dict[int, Preset]:
        """The preset, without `changes`, that each change makes of it, by the first frame that is made so, rising.

        Of several at one frame it is what all of them make.
        """
        frames = (change.frame(self.fps) for change in self.changes)
        return dict(zip(frames, self._changed, strict=True))

    @property
    def changed(self) -> tuple[Preset, ...]:
        """What each of its changes makes of it."""
        return self._changed

    def at(self, frame: int) -> Preset:
        """The preset that frame `frame` is made by; itself, before the first change."""
        passed = [index for index in self.turns if index <= frame]
        if not passed:
            return self
        here = self.turns[passed[-1]]
        if here._heard is None and self._heard is not None:
            here.hears(self._heard)
        return here

    @property
    def cut_into_shots(self) -> bool:
        """Whether its footage is cut into shots, each a run of its own."""
        return bool(self.chain) and self.chain[0].cut_into_shots

    @property
    def encode(self) -> EncodeConfig:
        """What becomes of the frames: how the film is written; where it is in several ways, in the first."""
        return self.renditions[0].config

    @property
    def renditions(self) -> tuple[Rendition, ...]:
        """The ways in which the film is written, which stand last among `stages`."""
        master = Master(self.size, self.fps, self.on_sphere)
        configs = (config for config in self.stages if isinstance(config, EncodeConfig))
        return tuple(Rendition(config, master, number) for number, config in enumerate(configs, 1))

    @property
    def notes(self) -> tuple[str, ...]:
        """What may surprise in it and its files as they are now, though nothing is wrong; one sentence each."""
        return tuple(notes_on(self))

    @property
    def on_sphere(self) -> bool:
        """Whether the film is a whole sphere around the viewer."""
        return self.projection == "equirectangular"

    def spec(self, device: torch.device | None = None) -> RunSpec:
        """What the stages are told about the run, on an open device; without, on the one that would be opened.

        Of a film of scenes, what its outputs are told.
        """
        if self.scenes:
            first = self.scenes[0].preset.spec(device)
            return replace(first.shown, frames=self.duration.to_frames(self.fps), seed=self.seed)
        return RunSpec(
            size=self.canvas,
            fps=self.fps,
            frames=self.duration.to_frames(self.fps),
            seed=self.seed,
            device=likely_device(self.device) if device is None else device,
            wants_motion=any(stage.uses_motion for stage in self.chain),
            builds_up=any(stage.builds_up for stage in self.chain),
            continues=self.chain[0].continues,
            lead_in=0 if self.lead_in is None else self.lead_in.span(self.fps),
            guide=next((stage.guide for stage in self.chain if stage.guide is not None), None),
            signals=self.signals,
            since=None if self._hearing is None else self._hearing.within.start,
            margin=self._margin,
            projection=self.projection,
            parallax=any(stage.parallax for stage in self.chain),
            shot=self.chain[0].part,
        )

    @property
    def canvas(self) -> Size:
        """What is dreamt on, and goes round: the frame, with its margin."""
        return Size(self.size.height + 2 * self._margin.height, self.size.width + 2 * self._margin.width)

    @property
    def _margin(self) -> Size:
        return Size(round(self.margin * self.size.height), round(self.margin * self.size.width))

    def soundtrack(self) -> Soundtrack | None:
        """The sound the film gets, if any. Raises MediaError."""
        match self.audio:
            case "none":
                return None
            case "source":
                return self.chain[0].sound(self.fps) if self.chain else None
            case "song":
                return self.song()
        return Soundtrack(Path(self.audio))

    def song(self) -> Soundtrack | None:
        """What the film listens to, from where it does; None: to nothing. Raises MediaError."""
        if self.listen is None or self.listen.path != SOURCE:
            return None if self.listen is None else song_of(self.listen)
        sound = self.chain[0].sound(self.fps)
        if sound is None:
            raise MediaError(f"listen: {MUTE_SOURCE}")
        return sound

    @property
    def signals(self) -> Signals | None:
        """What the film hears, or a scene with it; worked out when it is first asked for. Raises MediaError."""
        listen = self.listen if self._hearing is None else self._hearing.listen
        if self._heard is None and listen is not None:
            song = self.song() if self._hearing is None else song_of(listen)
            self._heard = None if song is None else hear(listen, song)
        return self._heard

    def hears(self, signals: Signals) -> None:
        """Have the film hear what was heard before, and those scenes that hear its song."""
        self._heard = signals
        followers = (scene.preset for scene in self.scenes if scene.preset._hearing is not None)
        for each in (*self._changed, *followers):
            each.hears(signals)

    def follow(self, hearing: Hearing | None, signals: Signals | None) -> None:
        """Have a scene hear the song of its film, and what was heard of it; without `hearing`, what it names itself."""
        self._hearing = hearing
        for each in self._changed:
            each.follow(hearing, None)
        if signals is not None:
            self.hears(signals)

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, defaults written out, as plain data that loads again."""
        return resolved(self)

    def packages(self) -> dict[str, Offer]:
        """The packages of those stages that are not dreamreel's own, by the stages' names."""
        presets = [each for each in (self, *(scene.preset for scene in self.scenes))]
        stages = [stage for preset in presets for each in (preset, *preset.changed) for stage in each.stages]
        offered = {name: package_of_stage(name) for name in map(entry_name, stages)}
        return {name: offer for name, offer in offered.items() if offer is not None}

    def to_yaml(self) -> str:
        """The resolved preset as YAML."""
        return plain_yaml(self.resolved())

    def stage_key(self, index: int) -> str:
        """What the keys of a stage begin with, as `--set` takes them: its id, or `stages[2]` for one that would not do.

        No two stages share it.
        """
        name = self.stages[index].id
        return name if re.fullmatch(r"[^.]+", name) and name not in Preset.model_fields else f"stages[{index}]"

    def inputs(self) -> dict[str, Input]:
        """Every file, folder or pattern that the preset names, by its key: `dream.objective[0].guide`."""
        return named_inputs(self)

    def with_inputs(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """`resolved`, with other texts for the inputs of these keys."""
        return with_inputs(self, texts)
