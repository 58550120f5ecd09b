"""A film of scenes: several chains in one film, each cross-faded with the one before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from torch import Tensor

from pipeline.chain.film import Film
from pipeline.chain.links import Chain
from pipeline.change import settled
from pipeline.device import open_device
from pipeline.errors import PresetError, Problem, RunError
from pipeline.frame import Pass
from pipeline.ops.dissolve import dissolve
from pipeline.preset import Preset, Scene
from pipeline.stages import EndOfFootage

_PREVIOUS = "previous"
_CHANGED = "is a film of scenes, which can't be changed on the way from outside; a scene has `changes` of its own"


@dataclass
class _Playing:
    """A scene whose chain is open, and the frame that its next one is made from."""

    scene: Scene
    chain: Chain
    previous: Tensor | None = None

    def step(self, index: int) -> Pass:
        """Frame `index` of the film."""
        made = self.chain.step(index - self.scene.start, self.previous)
        self.previous = made.feedback
        return made


class Scenes(Film):
    """Plays the scenes of a preset. A chain is open from its scene's first frame to its last, and no longer.

    Every scene is made as the film that its preset alone would give. What it makes its next frame from is its own and
    part of the state; `previous`, that the film is handed back, is what was shown, and is not looked at.
    """

    def __init__(self, preset: Preset, frame: int | None = None) -> None:
        self.preset = preset
        self.spec = preset.spec(open_device(preset.device))
        self._playing: dict[int, _Playing] = {}
        self._said: list[str] = []
        self._settled = frame is not None
        first = preset.scenes[0].preset.spec().lead_in
        with ExitStack() as undo:
            undo.callback(self.close)
            for number, scene in enumerate(preset.scenes):
                began = scene.start - (first if number == 0 else 0)
                if frame is None and number == 0:
                    self._open(number, None)
                elif frame is not None and began < frame and (scene.end is None or frame < scene.end):
                    self._open(number, frame - scene.start)
            undo.pop_all()

    @property
    def first(self) -> int:
        return -self.spec.lead_in

    def _open(self, number: int, frame: int | None) -> _Playing:
        scene = self.preset.scenes[number]
        playing = self._playing[number] = _Playing(scene, Chain(scene.preset, frame))
        missing = [f"{stage}.{key}" for stage, key in _missing(playing.chain)] if self._settled else []
        if missing:
            raise RunError(
                f"scene {number + 1} can't have the {', '.join(missing)} that the run began with; try again when the "
                "machine is as it was then, or render anew, with --out"
            )
        return playing

    def step(self, index: int, previous: Tensor | None) -> Pass:
        for number, scene in enumerate(self.preset.scenes):
            if index == scene.start and number not in self._playing:
                playing = self._open(number, None)
                for before in range(playing.chain.first, 0):
                    playing.step(scene.start + before)
        image: Tensor | None = None
        times: dict[str, float] = {}
        for number, playing in sorted(self._playing.items()):
            made = self._made(number, playing, index)
            for stage, seconds in made.times.items():
                times[stage] = times.get(stage, 0.0) + seconds
            image = made.image if image is None else dissolve(image, made.image, playing.scene.weight(index))
        assert image is not None
        for number in [n for n, playing in self._playing.items() if playing.scene.end == index + 1]:
            self._shut(number)
        return Pass(index, image, times, image)

    def _made(self, number: int, playing: _Playing, index: int) -> Pass:
        try:
            return playing.step(index)
        except EndOfFootage:
            if number == len(self.preset.scenes) - 1:
                raise
            raise RunError(
                f"frame {index}: the footage of scene {number + 1} ends before the scene does; give that a shorter "
                "`duration`"
            ) from None

    def _shut(self, number: int) -> None:
        playing = self._playing.pop(number)
        try:
            playing.chain.require_numbers()
            self._said += self._reported(number, playing)
        finally:
            playing.chain.close()

    def _reported(self, number: int, playing: _Playing) -> list[str]:
        return [f"scene {number + 1}: {note}" for note in playing.chain.report()]

    def change(self, preset: Preset, index: int) -> None:
        raise PresetError([Problem(self.preset.name, (), _CHANGED)])

    def require_numbers(self) -> None:
        for playing in self._playing.values():
            playing.chain.require_numbers()

    def state_dict(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for number, playing in self._playing.items():
            state |= {f"{number}/{name}": value for name, value in playing.chain.state_dict().items()}
            if playing.previous is not None:
                state[f"{number}/{_PREVIOUS}"] = playing.previous.detach().to("cpu", copy=True).contiguous()
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        left = dict(state)
        for number, playing in self._playing.items():
            start = f"{number}/"
            own = {name.removeprefix(start): left.pop(name) for name in state if name.startswith(start)}
            playing.previous = own.pop(_PREVIOUS).to(self.spec.device)
            playing.chain.load_state_dict(own)
        if left:
            raise KeyError(", ".join(sorted(left)))

    def pin(self, preset: Preset) -> Preset:
        scenes = list(preset.scenes)
        for number, playing in self._playing.items():
            scenes[number] = replace(scenes[number], preset=playing.chain.pin(scenes[number].preset))
        device = str(self.spec.device) if preset.device == "auto" else preset.device
        return preset.model_copy(update={"scenes": tuple(scenes), "device": device})

    def settle(self, preset: Preset) -> Preset:
        """As a chain's; those of later scenes are built for it, one after the other, and closed again."""
        scenes: list[Scene] = []
        for number, scene in enumerate(preset.scenes):
            playing = self._playing.get(number)
            if playing is not None:
                scenes.append(replace(scene, preset=playing.chain.settle(scene.preset)))
            elif _decides(scene.preset):
                with Chain(scene.preset) as chain:
                    scenes.append(replace(scene, preset=chain.settle(scene.preset)))
            else:
                scenes.append(scene)
        device = str(self.spec.device) if preset.device == "auto" else preset.device
        self.preset = preset.model_copy(update={"scenes": tuple(scenes), "device": device})
        self._settled = True
        return self.preset

    def fingerprints(self) -> dict[str, str]:
        return {
            f"scenes[{number}].{key}": digest
            for number, playing in self._playing.items()
            for key, digest in playing.chain.fingerprints().items()
        }

    def report(self) -> list[str]:
        return [*self._said, *(note for pair in self._playing.items() for note in self._reported(*pair))]

    def close(self) -> None:
        with ExitStack() as stack:
            while self._playing:
                stack.callback(self._playing.popitem()[1].chain.close)


def _missing(chain: Chain) -> Iterator[tuple[str, str]]:
    """What a chain was asked for and has not got, by stage and key."""
    for stage in chain.stages:
        for key, taken in stage.pinned().items():
            if getattr(stage.config, key) not in ("auto", taken):
                yield stage.config.id, key


def settled_scenes(film: Preset, frame: int) -> Preset:
    """The preset of a film that goes on with `frame`, with what its scenes would take for every `auto`.

    Of those that have begun it is their changes that may have some left, of later ones all. Raises what building a
    stage raises.
    """
    scenes: list[Scene] = []
    device = open_device(film.device)
    for scene in film.scenes:
        if scene.begun_by(frame):
            scenes.append(replace(scene, preset=settled(scene.preset, device)))
        elif _decides(scene.preset):
            with Chain(scene.preset) as chain:
                scenes.append(replace(scene, preset=chain.settle(scene.preset)))
        else:
            scenes.append(scene)
    return film.model_copy(update={"scenes": tuple(scenes)})


def _decides(preset: Preset) -> bool:
    """Whether anything is left to a chain to choose."""
    configs = [config for each in (preset, *preset.changed) for config in each.chain]
    return preset.device == "auto" or any(
        getattr(config, key) == "auto" for config in configs for key in type(config).model_fields
    )
