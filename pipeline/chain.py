"""The loop: frame after frame through the chain, each output the next one's past."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count, groupby
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from pipeline.change import changed_spec, settled, succeed
from pipeline.device import LateNumbers, open_device, out_of_memory_said, require_usual_torch
from pipeline.errors import RunError
from pipeline.frame import Frame, Pass
from pipeline.listen import content_digest
from pipeline.preset import Preset, begun_with
from pipeline.stages import (
    Effect,
    EndOfFootage,
    FrameContext,
    Role,
    RunSpec,
    Source,
    Stage,
    StageConfig,
)
from pipeline.stages.lookup import build_stage


class Chain:
    """The built stages of a preset, and the step from one frame to the next; its changes come when their frames do.

    It is built to go on with `frame`, by all changes before that; without one, with the first.
    """

    def __init__(self, preset: Preset, frame: int | None = None) -> None:
        self._turns = preset.turns
        self.preset = here = preset if frame is None else preset.at(frame - 1)
        """what the stages were built by; before the first change, the whole"""
        self.spec: RunSpec = here.spec(open_device(here.device))
        self.source = build_source(here, self.spec)
        effects = (
            build_stage(config, spec_for(config, self.spec)) for config in here.chain if config.role is Role.EFFECT
        )
        self.effects = [stage for stage in effects if isinstance(stage, Effect)]
        # The cameras' ways (N, 3, 3) from this frame and the next ones to the last one asked for.
        self._ways_from, self._ways = 0, self.spec.at_rest[None]
        self._sums: deque[tuple[int, list[str], LateNumbers]] = deque()
        self._said: list[str] = []  # by stages that have gone

    @property
    def first(self) -> int:
        """The index of the frame that has none before it: below 0 where there is a lead-in, which is not shown."""
        return -self.spec.lead_in

    def step(self, index: int, previous: Tensor | None) -> Pass:
        """Frame `index`, given the feedback of the frame before. Raises EndOfFootage when there is none.

        Raises RunError when a stage gives values that are no numbers: on CUDA, some frames later; and what `change`
        raises, where the preset changes here.
        """
        require_usual_torch()  # a notebook may have changed it between two frames
        if index in self._turns:
            self._take(self._turns[index], index)
        times: dict[str, float] = {}
        ctx = FrameContext(index, self.spec, previous, camera=partial(self.camera, index))
        with torch.no_grad():
            ctx.hand_to(self.source.config.id)
            with clock(times, self.source.config.id):
                image = feedback = self.source(ctx)
            sums = {self.source.config.id: image.sum()}
            for feeds_back, effects in groupby(self.effects, key=lambda effect: effect.config.feeds_back):
                if not feeds_back:
                    ctx, image = ctx.within_frame(), self.spec.cut(image)
                for effect in effects:
                    ctx.hand_to(effect.config.id)
                    with clock(times, effect.config.id):
                        image = effect(image, ctx)
                    sums[effect.config.id] = image.sum()
                if feeds_back:
                    image = feedback = image if ctx.symmetry is None else ctx.symmetry.folded(image).clamp_(0, 1)
            self._sums.append((index, list(sums), LateNumbers(torch.stack(list(sums.values())))))
        while self._sums and self._sums[0][2].arrived():
            self._require(*self._sums.popleft())
        return Pass(index, self.spec.cut(image) if image is feedback else image, times, feedback)

    def change(self, preset: Preset, index: int) -> None:
        """Go on by another preset from frame `index` on, the next that is asked for.

        A stage whose config is the same stays, the very object; one whose config changed takes over what still means
        the same: the frames are those of a chain that was built by the new preset and given this one's state.

        Raises PresetError for what can't change within a film, and what building a stage raises; the chain then goes
        on as it was.
        """
        require_usual_torch()
        self._take(preset.at(index), index)
        self._turns = preset.turns

    def _take(self, preset: Preset, index: int) -> None:
        spec = changed_spec(self.spec, preset, index)
        before = (self.source, *self.effects)
        source, *effects = succeed(before, preset.chain, spec, index)
        assert isinstance(source, Source)
        self.source, self.effects = source, [stage for stage in effects if isinstance(stage, Effect)]
        self.preset, self.spec = preset, spec
        for stage in self.stages:
            stage.spec = spec_for(stage.config, spec)
        self._ways_from, self._ways = 0, self.spec.at_rest[None]
        with ExitStack() as stack:
            for stage in {*before} - {*self.stages}:
                self._said += stage.report()
                stack.callback(stage.close)

    def require_numbers(self) -> None:
        """Wait until it is known that all frames so far are numbers. Raises RunError naming the first that is not."""
        while self._sums:
            self._require(*self._sums.popleft())

    def _require(self, index: int, stages: list[str], sums: LateNumbers) -> None:
        """One value that is no number goes round, spreads to all others, and comes out black."""
        for stage, total in zip(stages, sums.values(), strict=True):
            if not math.isfinite(total):
                raise RunError(
                    f"frame {index}: {stage} gives values that are no numbers (NaN or infinite), and the film would be "
                    "black from here on; look at the stage's settings, and at the weights and pictures it works with"
                )

    def camera(self, start: int, end: int) -> Tensor:
        """The backward float64 matrix of all cameras' motion from frame `start` to frame `end`.

        It is a (3, 3) pixel matrix, or on a sphere a (4, 4) one.

        Several cameras take turns within each frame, so the way is composed frame by frame, from the last one back:
        whoever asks for the ways of many frames to one end has each step taken once.
        """
        if not (self._ways_from <= start <= end == self._ways_from + len(self._ways) - 1):
            ways = self.spec.at_rest.repeat(end - start + 1, 1, 1)
            for index in range(end, start, -1):
                ways[index - 1 - start] = self._camera_step(index) @ ways[index - start]
            self._ways_from, self._ways = start, ways
        return self._ways[start - self._ways_from].clone()

    def _camera_step(self, index: int) -> Tensor:
        step = self.spec.at_rest
        for effect in self.effects:
            moved = effect.camera(index)
            step = step if moved is None else step @ moved
        return step

    @property
    def stages(self) -> tuple[Stage[Any], ...]:
        """All stages in their order."""
        return (self.source, *self.effects)

    def state_dict(self) -> dict[str, Tensor]:
        """A copy on the CPU of every stage's state, as `ID/NAME`. Raises as `require_numbers` does."""
        self.require_numbers()  # nothing goes on from a frame that is not known to be sound
        return {
            f"{stage.config.id}/{name}": value.detach().to("cpu", copy=True)
            for stage in self.stages
            for name, value in stage.state_dict().items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Give every stage back what `state_dict` took. Raises KeyError for names that are too many, or missing."""
        for stage in self.stages:
            start = f"{stage.config.id}/"
            stage.load_state_dict({k.removeprefix(start): v for k, v in state.items() if k.startswith(start)})
        if differing := sorted(self.state_dict().keys() ^ state.keys()):
            raise KeyError(", ".join(differing))

    def pin(self, preset: Preset) -> Preset:
        """The preset with what this chain computes with, and on, in place of every `auto` and of what was asked for.

        A run's preset is its own pin: where it is not, something that the run began with can't be had any more.
        """
        pins = {stage.config.id: stage.pinned() for stage in self.stages}
        stages = tuple(config.model_copy(update=pins.get(config.id, {})) for config in preset.stages)
        return begun_with(preset, stages, str(self.spec.device) if preset.device == "auto" else preset.device)

    def settle(self, preset: Preset) -> Preset:
        """The preset that this chain was built by, with what it and the changes on the way take for every `auto`.

        The chain goes on by that, so no change chooses anew. Raises what building a stage raises.
        """
        taken = settled(self.pin(preset), self.spec.device)
        self._turns = taken.turns
        return taken

    def fingerprints(self) -> dict[str, str]:
        """Digests of what the stages work with beside the files that the preset names, by stage and key."""
        preset = self.preset
        built = {stage.config.id: stage.fingerprints() for stage in self.stages}
        heard = {} if self.spec.signals is None else {"listen": content_digest(self.spec.signals)}
        return heard | {
            f"{preset.stage_key(index)}.{key}": digest
            for index, config in enumerate(preset.chain)
            for key, digest in built[config.id].items()
        }

    def report(self) -> list[str]:
        """What the stages have to say about the run."""
        return [*self._said, *(note for stage in self.stages for note in stage.report())]

    def close(self) -> None:
        """Close every stage."""
        with ExitStack() as stack:
            for stage in self.stages:
                stack.callback(stage.close)

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def spec_for(config: StageConfig, spec: RunSpec) -> RunSpec:
    """What a stage is told of the run: one that only the film shows knows no margin."""
    return spec if config.feeds_back else spec.shown


def build_source(preset: Preset, spec: RunSpec) -> Source[Any]:
    """The preset's source."""
    (config,) = (config for config in preset.chain if config.role is Role.SOURCE)
    source = build_stage(config, spec)
    assert isinstance(source, Source)
    return source


@contextmanager
def clock(times: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds the block takes to `times[name]`."""
    start = time.perf_counter()
    yield
    times[name] = times.get(name, 0.0) + time.perf_counter() - start


def frames(preset: Preset) -> Iterator[Frame]:
    """The film's frames, one after the other; each is computed when it is asked for. Raises PipelineError.

    A film that is cut into `shots` has none in a row: `render` makes its shots, each a run of its own.
    """
    if preset.chain[0].cut_into_shots:
        raise RunError("the film is cut into `shots`, each a run of its own; render it, or leave `shots` out")
    with out_of_memory_said(), Chain(preset) as chain:
        chain.settle(preset)
        previous = None
        for index in count(chain.first) if chain.spec.frames is None else range(chain.first, chain.spec.frames):
            try:
                made = chain.step(index, previous)
            except EndOfFootage:
                break
            previous = made.feedback
            if index >= 0:
                yield Frame(made)
        chain.require_numbers()
