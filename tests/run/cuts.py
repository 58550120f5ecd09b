"""Footage with hard cuts at known frames, made of real films, with a sound."""

from __future__ import annotations

from pathlib import Path

from tests.clips import ffmpeg, real_film

FPS, CUTS, FRAMES = 16, (16, 30), 44
HEAD = """\
size: 64x48
fps: 16
seed: 7
device: cpu
"""
STAGES = """\
stages:
  - {stage: video, path: cut.mp4, shots: true}
  - {stage: zoom, zoom: 1.2, pan: ["0.2 * sin(3 * t)", 0.0]}
  - {stage: flow}
  - {stage: tone, gamma: "1 + p"}
  - {stage: grain}
"""


def cut_film(path: Path) -> Path:
    """44 frames at 16 a second, cut at frames 16 and 30, with a tone."""
    parts = (("bikes", 0, 16), ("carphone_pristine", 1, 14), ("bigbuckbunny", 2, 14))
    inputs = [each for name, start, _ in parts for each in ("-ss", str(start), "-i", real_film(name))]
    scaled = "".join(
        f"[{n}:v]scale=128:96,setsar=1,fps={FPS},trim=end_frame={frames}[p{n}];"
        for n, (_, _, frames) in enumerate(parts)
    )
    ffmpeg(
        *inputs,
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={FRAMES / FPS}"),
        *("-filter_complex", f"{scaled}[p0][p1][p2]concat=n=3[v]", "-map", "[v]", "-map", "3:a"),
        *("-c:v", "libx264", "-crf", "16", "-c:a", "aac", path),
    )
    return path
