"""The foliage that ships, out of nothing but numpy: `python presets/pictures/make_leaves.py` writes leaves.jpg.

Some hundreds of leaves, the deeper the darker, in the light of a late afternoon.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]

WIDTH, HEIGHT = 960, 540
LEAVES, VEINS, FINER = 420, 7, 2  # FINER: drawn at so many times the size, for smooth edges
chance = np.random.default_rng(7)
GREENS = np.array([(0.16, 0.34, 0.10), (0.28, 0.48, 0.12), (0.42, 0.56, 0.16), (0.58, 0.60, 0.18), (0.62, 0.40, 0.14)])
SHARES = (0.3, 0.3, 0.22, 0.12, 0.06)  # how common each is: few are yellow, fewer are brown


def outline(length: float, width: float) -> Image:
    """(N, 2) points around a leaf that lies along x: pointed at its tip, round at its stalk."""
    along = np.linspace(0, 1, 40)
    side = width / 2 * np.sin(np.pi * along**0.75) ** 0.9
    return np.concatenate([np.stack([along * length, side], 1), np.stack([along[::-1] * length, -side[::-1]], 1)])


def placed(points: Image, centre: Image, angle: float) -> NDArray[np.int32]:
    """Turned, moved, and as OpenCV's polygons want it."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.rint((points @ turn.T + centre) * FINER).astype(np.int32)


def leaf(picture: Image, depth: float) -> None:
    """Draw one, `depth` from 0, far below, to 1, on top."""
    length = chance.uniform(60, 130) * (0.7 + 0.5 * depth)
    width, angle = length * chance.uniform(0.32, 0.5), chance.normal(0.9, 0.9)
    centre = chance.uniform((-60, -60), (WIDTH, HEIGHT))
    colour = GREENS[chance.choice(len(GREENS), p=SHARES)] * chance.uniform(0.8, 1.15)
    colour = colour * (0.18 + 0.82 * depth)
    shape = placed(outline(length, width), centre, angle)
    cv2.fillPoly(picture, [shape + 5 * FINER], (colour * 0.25).tolist(), cv2.LINE_AA)  # its shadow
    cv2.fillPoly(picture, [shape], colour.tolist(), cv2.LINE_AA)
    lower = np.concatenate([shape[:40], shape[:1]])
    cv2.fillPoly(picture, [lower], (colour * 0.78).tolist(), cv2.LINE_AA)  # the half that is turned away
    pale = (colour * 1.35 + 0.02 * depth).tolist()
    middle = placed(np.array([[0.0, 0.0], [length, 0.0]]), centre, angle)
    cv2.polylines(picture, [middle], False, pale, FINER * (2 if length > 90 else 1), cv2.LINE_AA)
    for at in np.linspace(0.12, 0.8, VEINS):
        end = at + 0.14
        reach = width / 2 * np.sin(np.pi * end**0.75) ** 0.9 * 0.9
        for side in (-1, 1):
            vein = placed(np.array([[at * length, 0.0], [end * length, side * reach]]), centre, angle)
            cv2.polylines(picture, [vein], False, pale, 1, cv2.LINE_AA)


def foliage() -> Image:
    """The picture (H, W, 3) in [0, 1]."""
    picture = np.full((HEIGHT * FINER, WIDTH * FINER, 3), (0.03, 0.06, 0.03))
    for depth in np.linspace(0, 1, LEAVES):
        leaf(picture, depth)
    picture = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT
    light = 0.95 + 0.9 * np.exp(-np.square((x - 1.25) / 0.75) - np.square((y - 0.2) / 0.55))
    grain = cv2.GaussianBlur(chance.standard_normal((HEIGHT, WIDTH)), (0, 0), 1.2)[..., None] * 0.05
    return np.clip(picture * light[..., None] * np.array([1.06, 1.0, 0.9]) * (1 + grain), 0, 1)


def main() -> None:
    pixels = np.rint(foliage() * 255).astype(np.uint8)
    cv2.imwrite(str(Path(__file__).with_name("leaves.jpg")), pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
