"""Which interpolation keeps a picture: 100 warps along a closed path with no dream, on photographs."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import map_coordinates
from torch import Tensor

from benchmarks.common import report, table, threads
from pipeline.frame import Size, size_of
from pipeline.media.paths import resolve
from pipeline.media.picture import fit_to, read_picture
from pipeline.ops.camera import motion_matrix
from pipeline.ops.warp import plan_sampling, sample, seen_positions

Sampler = Callable[[Tensor, Tensor, Tensor], Tensor]
PHOTOGRAPHS = ("package:skimage/data/chelsea.png", "package:skimage/data/coffee.png")
SIZE = Size(288, 448)
WARPS = 100


def torch_sampler(mode: str) -> Sampler:
    """torch's own: bilinear, or bicubic with a = -0.75."""

    def read(frame: Tensor, x: Tensor, y: Tensor) -> Tensor:
        grid = torch.stack([2 * x / frame.shape[3] - 1, 2 * y / frame.shape[2] - 1], -1)[None].float()
        return F.grid_sample(frame, grid, mode=mode, padding_mode="reflection", align_corners=False)

    return read


def opencv_sampler(flag: int) -> Sampler:
    """OpenCV's remap, which rounds positions to 1/32 pixel."""

    def read(frame: Tensor, x: Tensor, y: Tensor) -> Tensor:
        pixels = np.ascontiguousarray(frame[0].permute(1, 2, 0).numpy())
        columns, rows = (x - 0.5).float().numpy(), (y - 0.5).float().numpy()
        moved = cv2.remap(pixels, columns, rows, flag, borderMode=cv2.BORDER_REFLECT)
        return torch.from_numpy(np.asarray(moved)).permute(2, 0, 1)[None].contiguous()

    return read


def scipy_spline(order: int) -> Sampler:
    """SciPy's B-splines, in double precision."""

    def read(frame: Tensor, x: Tensor, y: Tensor) -> Tensor:
        there = np.stack([(y - 0.5).numpy(), (x - 0.5).numpy()])
        planes = [map_coordinates(plane.numpy(), there, order=order, mode="reflect") for plane in frame[0]]
        return torch.from_numpy(np.stack(planes))[None]

    return read


def spline(frame: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """dreamreel's: cubic B-splines through every pixel."""
    return sample(frame, plan_sampling(x, y, size_of(frame)))


SAMPLERS: dict[str, Sampler] = {
    "bilinear": torch_sampler("bilinear"),
    "bicubic, a = -0.75 (torch)": torch_sampler("bicubic"),
    "Lanczos4 (OpenCV)": opencv_sampler(cv2.INTER_LANCZOS4),
    "cubic B-spline (ours)": spline,
    "quintic B-spline (SciPy)": scipy_spline(5),
}


def pose(share: float, size: Size) -> Tensor:
    """The backward matrix from the camera's place on the way to the start: in, round, and back at `share` 1."""
    around = 2 * math.pi * share
    return motion_matrix(
        1.0,
        size,
        zoom=1.3 ** math.sin(math.pi * share) ** 2,
        degrees_per_second=15 * math.sin(around),
        pan=(0.04 * (1 - math.cos(around)), 0.04 * math.sin(around)),
        centre=(0.5, 0.5),
    )


def travel(frame: Tensor, sampler: Sampler, warps: int) -> tuple[Tensor, float]:
    """The picture after the whole way, and processor milliseconds a warp."""
    size, taken = size_of(frame), 0.0
    for step in range(1, warps + 1):
        matrix = torch.linalg.inv(pose((step - 1) / warps, size)) @ pose(step / warps, size)
        x, y = seen_positions(matrix, size, frame.device)
        start = time.thread_time()
        frame = sampler(frame, x, y)
        taken += time.thread_time() - start
    return frame, 1e3 * taken / warps


def middle(frame: Tensor) -> Tensor:
    """The part that is in sight all the way."""
    height, width = size_of(frame)
    return frame[..., height // 4 : -(height // 4), width // 4 : -(width // 4)]


def psnr(a: Tensor, b: Tensor) -> float:
    """Decibels."""
    return float(10 * torch.log10(1 / (a - b).square().mean()))


def high_frequencies(frame: Tensor) -> float:
    """The energy above half of the highest frequency, under a Hann window."""
    height, width = size_of(frame)
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)
    power = torch.fft.rfft2((frame - frame.mean((2, 3), keepdim=True)) * window).abs().square().sum((0, 1))
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    return float(power[(radius > 0.25) & (radius <= 0.5)].sum())


def largest_gain(sampler: Sampler) -> float:
    """The most that any wave grows in a shift by half a pixel; above 1 it grows for ever in a feedback loop."""
    x, gains = torch.arange(256) + 0.5, []
    to_x, to_y = (x + 0.5).expand(16, -1).double(), (torch.arange(16) + 0.5)[:, None].expand(-1, 256).double()
    for frequency in torch.linspace(0.02, 0.48, 47).tolist():
        energy = 0.0
        for phase in (0.0, math.pi / 2):
            wave = torch.cos(2 * math.pi * frequency * x + phase).expand(1, 3, 16, -1).contiguous()
            energy += float(sampler(wave, to_x, to_y)[..., 64:-64].square().mean())
        gains.append(energy**0.5)
    return float(max(gains))


def measure(name: str, warps: int) -> dict[str, object]:
    """One sampler's row: means over the photographs."""
    found = []
    for path in PHOTOGRAPHS:
        picture = fit_to(read_picture(Path(resolve(path, Path.cwd()))), SIZE, "crop")
        moved, ms = travel(picture, SAMPLERS[name], warps)
        there, back = middle(picture), middle(moved)
        loss = 1 - high_frequencies(back) / high_frequencies(there)
        found.append((psnr(there, back), 100 * loss, ms))
    decibels, loss, ms = (sum(column) / len(column) for column in zip(*found, strict=True))
    return {
        "sampler": name,
        "PSNR, dB": round(decibels, 2),
        "high frequencies lost, %": round(loss, 1),
        "largest gain": round(largest_gain(SAMPLERS[name]), 4),
        "ms a warp": round(ms, 1),
    }


def main() -> None:
    """Print the table; with --write, into benchmarks/sampler.md as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warps", type=int, default=WARPS)
    parser.add_argument("--write", action="store_true")
    given, _ = parser.parse_known_args()
    with threads(1):
        rows = [measure(name, given.warps) for name in SAMPLERS]
    report("sampler", rows)
    if given.write:
        page = Path(__file__).with_suffix(".md")
        about, _, after = page.read_text(encoding="utf-8").partition("|")
        rest = after[after.rindex("|\n") + 2 :]
        page.write_text(about + table(rows) + "\n" + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
