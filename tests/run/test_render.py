from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch

import pipeline
from pipeline.errors import MediaError, RunError
from pipeline.frame import to_uint8
from pipeline.media.ffmpeg import run_ffmpeg
from pipeline.ops.measure import look
from pipeline.preset import Override, load_preset


def decoded(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
        base = film.streams.video[0].time_base
        assert base is not None
        return [(frame.pts * base, frame.to_ndarray().tobytes()) for frame in frames if frame.pts is not None]


@pytest.mark.parametrize("fps", ["12", "23.976", "30000/1001"])
def test_the_film_has_every_frame_at_its_time(small_preset: Path, tmp_path: Path, fps: str) -> None:
    preset = load_preset(small_preset, [Override("fps", fps), Override("duration", "7f")])
    result = pipeline.render(preset, tmp_path / "run")
    assert result.path == tmp_path / "run" / "small.mp4" and result.frames == 7
    with av.open(str(result.path)) as film:
        stream = film.streams.video[0]
        assert (stream.width, stream.height) == (64, 48) and stream.average_rate == preset.fps
        context = stream.codec_context
        assert (context.pix_fmt, context.colorspace, context.color_range) == ("yuv420p", 1, 1)
    assert [time for time, _ in decoded(result.path)] == [n / preset.fps for n in range(7)]


def test_same_seed_same_bytes_another_seed_another_film(small_preset: Path, tmp_path: Path) -> None:
    films = [
        pipeline.render(load_preset(small_preset, [Override("seed", seed)]), tmp_path / str(n)).path.read_bytes()
        for n, seed in enumerate(["3", "3", "4"])
    ]
    assert films[0] == films[1] != films[2]


def test_frames_are_given_one_by_one(small_preset: Path) -> None:
    preset = load_preset(small_preset)
    frames = list(pipeline.frames(preset))
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert set(frames[0].times) == {"noise", "zoom", "dream", "palette"}
    assert not torch.equal(frames[2].image, frames[3].image)


def test_the_callback_sees_what_the_film_shows(small_preset: Path, tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []
    preset = load_preset(small_preset, [Override("encode.crf", "0")])
    result = pipeline.render(preset, tmp_path, lambda frame, spec: seen.append(frame.image))
    with av.open(str(result.path)) as film:
        shown = [torch.from_numpy(f.to_ndarray(format="rgb24")) for f in film.decode(video=0)]
    for image, pixels in zip(seen, shown, strict=True):
        assert (image[0].permute(1, 2, 0) * 255 - pixels).abs().mean() < 8  # chroma is subsampled


def test_a_second_shows_the_same_camera_at_24_and_60_fps(small_preset: Path) -> None:
    def at_one_second(fps: str) -> torch.Tensor:
        sets = [
            Override("fps", fps),
            Override("duration", "1.1s"),
            Override("dream.strength", "0"),
            Override("dream.first_steps", "0"),
        ]
        preset = load_preset(small_preset, [*sets, Override("palette.strength", "0")])
        return next(frame.image for frame in pipeline.frames(preset) if frame.index == int(fps))

    slow, fast = at_one_second("24"), at_one_second("60")
    still = at_one_second("24").roll(4, 3)
    assert (slow - fast).abs().mean() < 0.2 * (slow - still).abs().mean()


def test_an_unwritable_output_is_refused(small_preset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="--out"):
        pipeline.render(load_preset(small_preset), tmp_path / "file" / "run")


def test_ffmpegs_own_words_are_told(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file"):
        run_ffmpeg(["-i", str(tmp_path / "none.mp4"), str(tmp_path / "x.mp4")], "trying")


def test_a_missing_ffmpeg_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    with pytest.raises(MediaError, match=r"imageio-ffmpeg|can't be started"):
        run_ffmpeg(["-version"], "trying")


def test_an_endless_loop_neither_dies_nor_blows_up() -> None:
    from pipeline.preset import find_preset

    preset = load_preset(
        find_preset("first-light"),
        [Override("size", "128x72"), Override("duration", "300f"), Override("dream.octaves", "2")],
    )
    figures = [look(to_uint8(frame.image)) for frame in pipeline.frames(preset)]
    early, late = figures[60], figures[-1]
    assert max(f.clipped for f in figures[-50:]) < 0.05
    for name in ("brightness", "contrast", "saturation", "sharpness"):
        assert 0.5 < getattr(late, name) / getattr(early, name) < 2, name
