"""Octaves: the ladder of sizes a dream climbs, from coarse shapes to fine texture."""

from __future__ import annotations

from pipeline.frame import Size


def octave_sizes(size: Size, octaves: int, scale: float) -> list[Size]:
    """`octaves` sizes from the smallest up to `size`, each `scale` times the one before (rounded)."""
    ladder = [scale**step for step in reversed(range(octaves))]
    return [Size(max(1, round(size.height / s)), max(1, round(size.width / s))) for s in ladder]
