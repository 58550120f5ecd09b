"""Octaves: the ladder of sizes a dream climbs, from coarse shapes to fine texture."""

from __future__ import annotations

from pipeline.frame import Size


def octave_sizes(size: Size, octaves: int, scale: float) -> list[Size]:
    """`octaves` sizes from the smallest up to `size`, each `scale` times the one before (rounded).

    Example:
        >>> [str(size) for size in octave_sizes(Size(90, 160), 3, 2.0)]
        ['40x22', '80x45', '160x90']
    """
    ladder = [scale**step for step in reversed(range(octaves))]
    return [Size(max(1, round(size.height / s)), max(1, round(size.width / s))) for s in ladder]
