"""The film's own output: every frame at its time, and the same bytes again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from pipeline.frame import Size, to_uint8
from pipeline.media.joining import count_frames
from pipeline.ops import noise
from pipeline.outputs import EncodeConfig, Master, Rendition, Spool, encode
from pipeline.preset import parse_preset
from pipeline.stages import StageConfig

SIZE, FPS = Size(48, 64), Fraction(24)


def test_it_keeps_every_frame_and_repeats_itself(tmp_path: Path) -> None:
    rendition = Rendition(EncodeConfig(id="encode"), Master(SIZE, FPS))
    pictures = [noise.pink(SIZE, 0.15, 1.5, torch.Generator().manual_seed(seed)) for seed in range(5)]
    frames = [to_uint8(picture) for picture in pictures]
    (tmp_path / "frames.rgb24").write_bytes(b"".join(frame.tobytes() for frame in frames))
    films = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for film in films:
        encode(Spool(tmp_path / "frames.rgb24", False, 0, 5), film, rendition)
    assert films[0].read_bytes() == films[1].read_bytes()
    with av.open(str(films[0])) as container:
        base = container.streams.video[0].time_base
        assert base is not None
        shown = [(frame.pts * base, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert [time for time, _ in shown] == [n / FPS for n in range(5)]
    for (_, pixels), frame in zip(shown, frames, strict=True):
        assert pixels.shape == (*SIZE, 3)
        assert np.abs(pixels.astype(int) - frame).mean() < 8  # chroma is subsampled
    encode(Spool(tmp_path / "frames.rgb24", False, 0, 3), tmp_path / "part.mp4", rendition)
    assert count_frames(tmp_path / "part.mp4") == 3


def test_a_preset_tells_what_makes_frames_from_what_becomes_of_them() -> None:
    preset = parse_preset("stages: [{stage: noise}, {stage: palette}, {stage: encode, crf: 3}]")
    assert [config.id for config in preset.chain] == ["noise", "palette"]
    assert preset.stages == (*preset.chain, preset.encode) and preset.encode.crf == 3
    assert not isinstance(preset.encode, StageConfig)
    again = EncodeConfig.model_validate(preset.encode.model_dump(mode="json", exclude_none=True))
    assert again == preset.encode  # a run's preset.yaml loads again
