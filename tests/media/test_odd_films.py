"""Films of every shape, depth, colour and length, whole and broken: right, or a clear error."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.errors import MediaError, PresetError
from pipeline.frame import Size, size_of
from pipeline.media.film import Film
from pipeline.media.footage import Timing, at_constant_rate, open_footage
from pipeline.media.picture import write_png
from pipeline.stages import EndOfFootage, FrameContext
from tests.clips import counter, ffmpeg, pattern
from tests.stages.over import numbers, preset, shown, spec, stage


def reference(path: Path, *filters: str) -> np.ndarray:
    """Frame 3 as ffmpeg itself shows it, (H, W, 3) uint8."""
    out = path.with_suffix(".png")
    ffmpeg("-i", path, "-vf", ",".join(["select='eq(n,3)'", *filters]), "-frames:v", "1", out)
    return cv2.cvtColor(cv2.imread(str(out)), cv2.COLOR_BGR2RGB)


def fourth(path: Path) -> np.ndarray:
    shots = list(Film(path).pictures(Fraction(0)))
    return (shots[3].read()[0].permute(1, 2, 0) * 255).numpy()


EXACT = "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,format=rgb24"


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_metadata_turns_the_picture(tmp_path: Path, degrees: int) -> None:
    ffmpeg(*pattern(0.2), "-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv444p", tmp_path / "lying.mp4")
    path = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", str(degrees), "-i", tmp_path / "lying.mp4", "-c", "copy", path)
    expected = reference(path, EXACT)
    found = fourth(path)
    assert found.shape == expected.shape and np.abs(found - expected).mean() < 1.5


def test_anamorphic_pixels_become_square(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    ffmpeg(*pattern(0.2), "-vf", "setsar=4/3", "-c:v", "libx264", path)
    assert Film(path).info.size == Size(48, 85)
    assert preset(path).size == Size(48, 84)


def test_odd_sizes_are_read_whole_and_rendered_even(tmp_path: Path) -> None:
    path = tmp_path / "odd.mp4"
    ffmpeg(*pattern(0.2, size="65x49"), "-c:v", "libx264", "-pix_fmt", "yuv444p", path)
    ffmpeg("-i", path, "-vf", "format=yuv444p", "-c:v", "ffv1", tmp_path / "odd.mkv")
    film = Film(tmp_path / "odd.mkv")
    assert all(side % 2 == 0 for side in preset(tmp_path / "odd.mkv").size)
    assert size_of(next(film.pictures(Fraction(0))).read()) == film.info.size


COLOURS = {
    "bt601 limited": ("bt601", "tv", "smpte170m"),
    "bt709 limited": ("bt709", "tv", "bt709"),
    "bt709 full": ("bt709", "pc", "bt709"),
    "bt601 full": ("bt601", "pc", "smpte170m"),
}


@pytest.mark.parametrize("kind", COLOURS)
def test_matrix_and_range_are_undone(tmp_path: Path, kind: str) -> None:
    matrix, levels, tag = COLOURS[kind]
    path = tmp_path / "colour.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=0xC83C1E:size=64x48:rate=25:duration=0.2,format=rgb24"),
        *("-vf", f"scale=out_color_matrix={matrix}:out_range={levels},format=yuv444p"),
        *("-c:v", "ffv1", "-colorspace", tag, "-color_range", levels, path),
    )
    colour = fourth(path).reshape(-1, 3).mean(0)
    assert np.abs(colour - (0xC8, 0x3C, 0x1E)).max() < 2


def test_ten_bits_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=black:size=256x48:rate=25:duration=0.2,format=yuv420p10le"),
        *("-vf", "geq=lum='400+X/16':cb=512:cr=512", "-c:v", "libx265", "-x265-params"),
        *("lossless=1:log-level=error", path),
    )
    ramp = next(Film(path).pictures(Fraction(0))).read()[0, 0, 0]
    assert len(ramp.unique()) >= 15, "8 bits would leave 4 levels"
    assert float(ramp[0]) == pytest.approx((400 - 64) / 876, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("a.mov", "qtrle", "argb"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.mov", "png", "rgba64be"),
    ],
)
def test_alpha_is_laid_over_black(tmp_path: Path, name: str, codec: str, form: str) -> None:
    path = tmp_path / name
    ffmpeg(
        *("-f", "lavfi", "-i", "color=0xF0F0F0@0.5:size=64x48:rate=25:duration=0.2,format=rgba"),
        *("-c:v", codec, "-pix_fmt", form, path),
    )
    assert fourth(path).mean() == pytest.approx(0xF0 / 2, abs=3)


def test_fields_become_whole_pictures(tmp_path: Path) -> None:
    path = tmp_path / "fields.mp4"
    bars = "color=black:size=64x96:rate=50:duration=1,format=yuv420p,geq=lum='if(lt(mod(X+4*N,32),16),200,40)'"
    ffmpeg(
        *("-f", "lavfi", "-i", f"{bars}:cb=128:cr=128", "-vf", "setfield=tff,tinterlace=interleave_top"),
        *("-c:v", "libx264", "-flags", "+ilme+ildct", "-qp", "4", path),
    )
    film = Film(path)
    shots = list(film.pictures(Fraction(0)))
    assert film.info.fps == 25 and [shot.time for shot in shots] == [Fraction(n, 25) for n in range(25)]
    combed = np.abs(np.diff(reference(path).astype(float), axis=0)).mean()
    assert np.abs(np.diff(fourth(path), axis=0)).mean() < 0.25 * combed


def test_hdr_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "hdr.mkv"
    tags = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "smpte2084")
    params = "log-level=error:transfer=smpte2084:colorprim=bt2020:colormatrix=bt2020nc"
    ffmpeg(*pattern(0.2), "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", params, *tags, path)
    with pytest.raises(MediaError, match=r"is HDR .*`hdr: tone-map` of the video stage .*tonemap"):
        Film(path)


def test_an_8k_film_is_read_small(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    ffmpeg(*pattern(0.08, size="7680x4320"), "-c:v", "mjpeg", "-q:v", "20", path)
    film = open_footage(path, Fraction(25))
    assert film.info.size == Size(4320, 7680)
    timing = Timing(Fraction(0), film.info.seconds, Fraction(1), Fraction(25))
    frames = list(at_constant_rate(film, Size(48, 64), "crop", timing))
    assert len(frames) == 2 and size_of(frames[0]) == Size(48, 64)


def test_one_frame_is_a_film(tmp_path: Path) -> None:
    path = counter(tmp_path / "one.mp4", 1)
    assert preset(path).spec().frames == 1
    assert numbers(path, spec(1)) == [0]
    with pytest.raises(EndOfFootage):
        numbers(path, spec(2))


@pytest.mark.parametrize("container", ["h264", "mkv", "mjpeg"])
def test_a_length_the_header_does_not_say_is_found(tmp_path: Path, container: str) -> None:
    path = tmp_path / f"film.{container}"
    codec = ("-c:v", "mjpeg") if container == "mjpeg" else ("-c:v", "libx264")
    live = ("-live", "1") if container == "mkv" else ()
    ffmpeg(*pattern(0.8), *codec, *live, path)
    assert Film(path).info.seconds == pytest.approx(Fraction(4, 5), abs=0.002)
    assert len(list(Film(path).pictures(Fraction(0)))) == 20


@pytest.mark.parametrize("container", ["mkv", "mp4", "ts"])
def test_a_film_cut_short_ends_where_it_ends(tmp_path: Path, container: str) -> None:
    whole = tmp_path / f"whole.{container}"
    index_first = ("-movflags", "+faststart") if container == "mp4" else ()
    ffmpeg(*pattern(2), "-c:v", "libx264", "-g", "10", *index_first, whole)
    path = tmp_path / f"short.{container}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    film = stage(path, spec(50))
    count = 0
    with pytest.raises(EndOfFootage):
        for index in range(50):
            film(FrameContext(index, film.spec, None))
            count += 1
    film.close()
    assert 15 < count < 45
    if container != "ts":  # it has no header to give its word
        assert any("ends" in note for note in film.report())


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    ffmpeg(*pattern(1), "-c:v", "libx264", tmp_path / "whole.mp4")
    path = tmp_path / "cut.mp4"
    path.write_bytes((tmp_path / "whole.mp4").read_bytes()[:2000])
    with pytest.raises(PresetError, match=r"stages\[0\].path: .*cut.mp4 can't be opened as a film.*index is missing"):
        preset(path)


def test_damage_in_the_middle_is_bridged_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp4"
    ffmpeg(*pattern(4, size="160x90"), "-c:v", "libx264", "-g", "25", path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(i * 7919 % 256 for i in range(3000))
    path.write_bytes(data)
    film = stage(path, spec(100))
    frames = shown(film, range(100))
    assert len(frames) == 100
    assert film.report() and "the picture before is shown instead" in film.report()[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, "no such file"),
        ("empty.mp4", b"", "empty.mp4 is empty; name another file"),
        ("text.mp4", b"not a film at all\n" * 100, "can't be opened as a film"),
        ("none/*.png", None, "can't list the pictures at .*: No such file or directory; give a folder of pictures"),
        ("none_%04d.png", None, "no pictures are found"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PresetError, match=message):
        preset(path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.m4a"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", path)
    with pytest.raises(PresetError, match="holds no pictures"):
        preset(path)


def test_a_gif_keeps_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    ffmpeg(*pattern(1, "10"), path)
    found = preset(path)
    assert (found.fps, found.spec().frames, found.size) == (10, 10, Size(48, 64))


@pytest.mark.parametrize("form", [".", "shot_%d.png", "shot_*.png"])
def test_stills_play_in_the_order_people_count(tmp_path: Path, form: str) -> None:
    for number in (10, 2, 1):
        write_png(torch.full((1, 3, 48, 64), number / 20), tmp_path / f"shot_{number}.png")
    path = tmp_path if form == "." else tmp_path / form
    assert preset(path).spec().frames == 3
    frames = shown(stage(path, spec(3)), range(3))
    assert [round(float(frame.mean()) * 20) for frame in frames] == [1, 2, 10]
