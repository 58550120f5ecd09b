"""Whether a film that moves out shows frames within frames, and whether it is as sharp at its border as in the middle.

    python -m benchmarks.zoom_out [--seconds 30] [--sheets FOLDER]

`frames` looks along the lines where the border of the film lay up to three seconds ago, wherever the camera has
carried them since: how much the mean brightness along them changes across them, against rectangles that are turned
otherwise. 1 says that nothing is to be seen of them. `lines` is the length of straight lines along the frame's own axes
that OpenCV's detector finds, as a multiple of their fair share, where the camera does not turn. `border` is the
sharpness within a tenth of the border over that in the middle half.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import report
from pipeline.chain import frames
from pipeline.frame import to_uint8
from pipeline.preset import load_preset

Array = NDArray[np.float64]
SIZE, FPS, SETTLED = "192x108", 8, 3  # the last in seconds
# Things stay long in a slow film, so it is dreamt on the less.
SLOW = {"zoom.zoom": 0.96, "dream.strength": 0.02, "dream.new_strength": 1.0}
FILMS: dict[str, dict[str, Any]] = {
    "slow": SLOW | {"zoom.rotate": 0},
    "slow, turning": SLOW,
    "as it is": {},
    "straight": {"zoom.rotate": 0},
    "fast": {"zoom.zoom": 0.7},
}
_TURNS = (20, 35, 50, 65)  # degrees, of rectangles to compare with
_LEAST_LINE = 0.15  # of the height


def render(preset: str, seconds: float, keys: dict[str, Any]) -> tuple[NDArray[np.uint8], float, float]:
    """The film (n, H, W, 3), its zoom, and its turn in degrees a second."""
    given = {"size": SIZE, "fps": FPS, "duration": f"{seconds:g}s", "dream.precision": "float32", "device": "cpu"}
    made = load_preset(preset, given | keys)
    camera: Any = next(stage for stage in made.chain if stage.id == "zoom")
    film = np.stack([to_uint8(frame.image) for frame in frames(made)])
    return film, camera.zoom.constant, camera.rotate.constant


def measure(name: str, film: NDArray[np.uint8], zoom: float, degrees: float) -> dict[str, Any]:
    """One row of the table."""
    lumas = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float32) for each in film[SETTLED * FPS :: 2]]
    ours = np.mean([steps_across(luma, zoom, degrees, 0) for luma in lumas])
    others = np.mean([steps_across(luma, zoom, degrees, turn) for luma in lumas for turn in _TURNS])
    lines = axis_lines(lumas) if degrees == 0 else math.nan
    border, middle = np.mean([sharpness(luma) for luma in lumas], 0)
    return {"film": name, "frames": float(ours / others), "lines": lines, "border": float(border / middle)}


def steps_across(luma: NDArray[np.float32], zoom: float, degrees: float, more: float) -> float:
    """The mean square of what the brightness along old borders' sides changes by from one pixel to the next."""
    height = luma.shape[0]
    scales = np.arange(1.0, max(0.45, zoom**3) - 1e-9, -1 / (height / 2))  # a pixel apart at the top and bottom
    ages = np.log(scales) / math.log(zoom)
    total, count = 0.0, 0
    for side in range(4):
        along = np.array([brightness(luma, side, s, degrees * age + more) for s, age in zip(scales, ages, strict=True)])
        steps = np.diff(along)[np.isfinite(np.diff(along))]
        total, count = total + float((steps**2).sum()), count + len(steps)
    return total / max(1, count)


def brightness(luma: NDArray[np.float32], side: int, scale: float, degrees: float) -> float:
    """Along one side of the frame, shrunk and turned; nan where less than half of it is in sight."""
    height, width = luma.shape
    run = np.linspace(-0.9, 0.9, 80)
    edge = np.full_like(run, 1 if side < 2 else -1)
    x, y = (edge, run) if side % 2 else (run, edge)
    x, y = x * scale * width / 2, y * scale * height / 2
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    there_x, there_y = c * x - s * y + width / 2 - 0.5, s * x + c * y + height / 2 - 0.5
    seen = (there_x >= 0) & (there_x <= width - 1) & (there_y >= 0) & (there_y <= height - 1)
    if seen.mean() < 0.5:
        return math.nan
    read = cv2.remap(luma, there_x[seen].astype(np.float32), there_y[seen].astype(np.float32), cv2.INTER_LINEAR)
    return float(read.mean())


def axis_lines(lumas: list[NDArray[np.float32]]) -> float:
    """The share of the length of all long lines that runs within 3 degrees of the axes, over what would be fair."""
    detector, along, whole = cv2.createLineSegmentDetector(), 0.0, 1e-9
    for luma in lumas:
        found = detector.detect(luma.astype(np.uint8))[0]
        for x1, y1, x2, y2 in [] if found is None else found.reshape(-1, 4):
            length = math.hypot(x2 - x1, y2 - y1)
            if length >= _LEAST_LINE * luma.shape[0]:
                turn = math.degrees(math.atan2(y2 - y1, x2 - x1)) % 90
                whole, along = whole + length, along + length * (min(turn, 90 - turn) <= 3)
    return along / whole / (6 / 90)


def sharpness(luma: NDArray[np.float32]) -> tuple[float, float]:
    """The mean Laplacian within a tenth of the border, and in the middle half."""
    edges = np.abs(cv2.Laplacian(luma, cv2.CV_32F))
    height, width = luma.shape
    rim = np.ones_like(edges, bool)
    rim[height // 10 : -(height // 10), width // 10 : -(width // 10)] = False
    return float(edges[rim].mean()), float(edges[height // 4 : -(height // 4), width // 4 : -(width // 4)].mean())


def save_sheet(film: NDArray[np.uint8], path: Path) -> None:
    """Twelve frames of the whole film in rows."""
    picked = film[np.linspace(0, len(film) - 1, 12).astype(int)]
    rows = [np.hstack(list(row)) for row in picked.reshape(3, 4, *film.shape[1:])]
    cv2.imwrite(str(path), np.vstack(rows)[:, :, ::-1])


def main() -> None:
    """Films that move out slowly and fast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="zoom-out")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--only", choices=FILMS, nargs="+", default=list(FILMS))
    parser.add_argument("--sheets", type=Path)
    given, _ = parser.parse_known_args()
    rows = []
    for name in given.only:
        film, zoom, degrees = render(given.preset, given.seconds, FILMS[name])
        rows.append(measure(name, film, zoom, degrees))
        if given.sheets is not None:
            save_sheet(film, given.sheets / f"{name}.png")
    report("zoom_out", rows)


if __name__ == "__main__":
    main()
