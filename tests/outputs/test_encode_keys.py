"""What `encode` takes: what is it for, what fits together, and what is said before the first frame of what does not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import MediaError, PresetError
from pipeline.frame import Size
from pipeline.media.ffmpeg import has_encoder
from pipeline.outputs import require_encoder
from pipeline.outputs.formats import FORMATS
from pipeline.outputs.hardware import before_input, encoder_of, quality, surface
from pipeline.outputs.purposes import PURPOSES
from pipeline.preset import Preset, parse_preset
from pipeline.run import render
from tests.outputs.written import rendition


def preset(encode: str, head: str = "size: 640x360\nfps: 24") -> Preset:
    return parse_preset(f"{head}\nduration: 1s\nstages:\n- stage: noise\n- {{stage: encode, {encode}}}\n")


@pytest.mark.parametrize(
    ("keys", "name", "size", "bits"),
    [
        ("for: reels", "preset.mp4", "1080x1920", 8),
        ("for: story", "preset.mp4", "1080x1920", 8),
        ("for: square", "preset.mp4", "1080x1080", 8),
        ("for: web", "preset.mp4", "640x360", 8),
        ("for: archive", "preset.mkv", "640x360", 16),
        ("for: reels, format: hevc", "preset.mp4", "1080x1920", 10),
        ("for: reels, size: 540x960", "preset.mp4", "540x960", 8),
        ("format: gif, longest_side: 320", "preset.gif", "320x180", 8),
        ("format: png, bits: 16", "preset-frames", "640x360", 16),
    ],
)
def test_what_it_is_for_sets_what_is_left_out(keys: str, name: str, size: str, bits: int) -> None:
    made = preset(keys)
    (output,) = made.renditions
    assert (output.file_name(made.name), str(output.size), output.config.depth) == (name, size, bits)
    assert parse_preset(made.to_yaml()).stages == made.stages  # all of it is written out, and loads again


@pytest.mark.parametrize(
    ("purpose", "film", "fps"),
    [("reels", 24, 24), ("reels", 12, 24), ("reels", 10, 30), ("reels", 120, 60), ("web", 60, 30), ("archive", 7, 7)],
)
def test_rates_go_up_and_down_by_whole_numbers(purpose: Any, film: int, fps: int) -> None:
    assert PURPOSES[purpose].rate(Fraction(film)) == fps


def test_which_frame_is_shown_when() -> None:
    faster, slower = rendition({"fps": 5}, fps=Fraction(2)), rendition({"fps": "0.8"}, fps=Fraction(2))
    assert [faster.shown(n) for n in range(faster.frames(3))] == [0, 0, 0, 1, 1, 2, 2, 2]
    assert [slower.shown(n) for n in range(slower.frames(6))] == [0, 2, 5]
    for output in (faster, slower):  # pieces hold what the whole does
        parts = [output.frames(first + 3) - output.frames(first) for first in range(0, 12, 3)]
        assert sum(parts) == output.frames(12)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("format: h265", "format: is 'h265', must be h264, hevc, av1"),
        ("format: prores, container: mp4", "container: is mp4, which does not hold prores; use mov or mkv"),
        ("bits: 10", "bits: is 10, h264 has 8"),
        ("format: prores, crf: 3", "crf: is 3, but prores has none; leave it out"),
        ("crf: 60", "crf: is 60, h264 has 0 to 51"),
        ("format: prores, preset: slow", "preset: is slow, but prores has no such speeds"),
        ("quality: 3", "quality: is webp's, and the format is h264; use `crf`"),
        ("format: png, encoder: nvenc", "encoder: is nvenc, which writes h264, hevc, av1, not png"),
        ("mask: {radial: 1}", "mask: can't be the transparency of h264, which has none; use vp9, prores-4444"),
        ("writes: mask", "writes: is mask, but there is none; add one"),
        ("format: vp9, container: mp4, mask: {radial: 1}", "container: is mp4, where vp9 is never transparent"),
        ("format: vp9, bits: 10, mask: {radial: 1}", "bits: is 10, with which vp9 is never transparent; use bits: 8"),
        ("fit: pad", "fit: is pad, but the film has its own size here; add a `size`"),
        ("size: 64x64, longest_side: 32", "longest_side: is 32, and there is a `size` too"),
        ("size: 65x64", "size: can't store the size 65x64: both sides must be even; use 64x64 or 66x64"),
        ("format: prores, size: 65x33", "size: can't store the size 65x33: the width must be even"),
        ("format: gif, fps: 60", "fps: is 60: a gif shows at most 50 frames a second; use fps: 24"),
        ("for: tiktok", "for: is 'tiktok', must be reels, story"),
        ("format: png, mask: {luminance: [1, 0]}", "mask.luminance: is [1.0, 0.0], must be"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(keys: str, words: str) -> None:
    with pytest.raises(PresetError) as caught:
        preset(keys)
    assert f"stages[1].{words}" in str(caught.value)


def test_a_sphere_stays_one() -> None:
    head = "size: 640x320\nprojection: equirectangular"
    with pytest.raises(PresetError, match="a sphere stays twice as wide as high; use 3840x1920"):
        preset("for: reels", head)
    assert preset("longest_side: 320", head).renditions[0].size == Size(160, 320)


def test_encodes_stand_last_and_have_names_of_their_own() -> None:
    text = "stages: [{stage: noise}, {stage: encode}, {stage: encode, format: gif}, {stage: encode, id: big}]"
    made = parse_preset(text, overrides={"big.crf": 3})
    assert [each.file_name("film") for each in made.renditions] == ["film.mp4", "film-encode-2.gif", "film-big.mp4"]
    assert made.encode is made.renditions[0].config and made.renditions[2].config.crf == 3
    with pytest.raises(PresetError, match="encode must stand last; nothing but others of its kind may follow"):
        parse_preset("stages: [{stage: noise}, {stage: encode}, {stage: palette}]")


def test_what_is_cut_or_enlarged_is_told() -> None:
    said = " ".join(preset("for: reels").notes)
    assert "encode shows 32 % of the film's 640x360, the rest is cut away, and is enlarged 5.3 times" in said
    assert not preset("for: reels", "size: 1080x1920").notes


def test_every_encoder_is_in_the_ffmpeg_that_comes_with_it() -> None:
    assert all(has_encoder(each.encoder) for each in FORMATS.values() if each.encoder)


def test_hardware_is_tried_before_anything_is_rendered(tmp_path: Path) -> None:
    made = parse_preset("{size: 64x48, duration: 2f, stages: [{stage: noise}, {stage: encode, encoder: videotoolbox}]}")
    with pytest.raises(MediaError, match=r"h264_videotoolbox.*leave out `encoder`"):
        render(made, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(MediaError, match=r"h264_vaapi does not work on this machine; leave out `encoder`"):
        require_encoder("vaapi", "h264", 8)


def test_hardware_has_words_of_its_own() -> None:
    assert encoder_of("nvenc", "hevc") == "hevc_nvenc" and encoder_of("software", "hevc") == "libx265"
    assert surface("vaapi", 10) == ("p010le", ",format=p010le,hwupload") and before_input("vaapi")
    assert surface("nvenc", 8) == ("yuv420p", "") and not before_input("nvenc")
    assert quality("nvenc", 20)[:4] == ("-rc", "vbr", "-cq", "20")
    assert preset("encoder: nvenc").encode.preset is None  # x264's speeds are not its
