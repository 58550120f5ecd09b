"""Footage of every kind, made by ffmpeg: right, or a clear error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

import pipeline.media.footage as footage
import pipeline.stages.video as video_stage
from pipeline.errors import MediaError, PresetError
from pipeline.frame import Size, size_of
from pipeline.media.ahead import Ahead
from pipeline.media.film import Film
from pipeline.media.footage import Timing, at_constant_rate, open_footage
from pipeline.media.picture import write_png
from pipeline.media.rate import plain_rate
from pipeline.preset import Preset, load_preset, parse_preset
from pipeline.stages import EndOfFootage, FrameContext, RunSpec
from pipeline.stages.video import Video, VideoConfig
from tests.clips import FILMS, counter, ffmpeg, number_of, pattern, real_film

Make = Callable[[Path], Path]


def spec(frames: int = 10, fps: str = "25") -> RunSpec:
    return RunSpec(Size(48, 64), Fraction(fps), frames, 0, torch.device("cpu"), wants_motion=False)


def stage(path: Path, run: RunSpec | None = None, **keys: object) -> Video:
    config = VideoConfig.model_validate({"id": "video", "path": str(path), **keys})
    return Video(config, spec() if run is None else run)


def shown(film: Video, indices: range) -> list[Tensor]:
    try:
        return [film(FrameContext(index, film.spec, None)) for index in indices]
    finally:
        film.close()


def numbers(path: Path, run: RunSpec, **keys: object) -> list[int]:
    return [number_of(frame) for frame in shown(stage(path, run, **keys), range(run.frames))]


def preset(path: Path, text: str = "", name: str = "over") -> Preset:
    return parse_preset(f"{text}\nstages:\n  - stage: video\n    path: {path}\n".encode(), name=name)


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty numbered frames with a key frame every 12, and frames that refer both ways."""
    path = tmp_path_factory.mktemp("clips") / "forty.mp4"
    return counter(path, 40, "25", "-preset", "medium", "-g", "12", "-bf", "3")


# What the presets of real and made films say when they leave everything out.


@pytest.mark.parametrize(
    ("name", "size", "fps", "frames"),
    [
        ("bigbuckbunny", "1280x720", "25", 132),
        ("bikes", "640x272", "25", 250),
        ("carphone_pristine", "192x144", "30000/1001", 120),
    ],
)
def test_size_rate_and_length_follow_the_film(name: str, size: str, fps: str, frames: int) -> None:
    found = preset(real_film(name))
    assert (str(found.size), str(found.fps), found.spec().frames) == (size, fps, frames)


def test_what_the_preset_says_goes_before_the_film(forty: Path) -> None:
    found = preset(forty, "size: 32x32\nfps: 10")
    assert (str(found.size), found.fps, found.spec().frames) == ("32x32", 10, 16)
    assert parse_preset(found.to_yaml().encode(), name="again") == found.model_copy(update={"name": found.name})


def test_a_duration_past_the_end_is_refused(forty: Path) -> None:
    with pytest.raises(PresetError, match=r"stages\[0\].path: lasts 40f.*leave it out"):
        preset(forty, "duration: 41f")


@pytest.mark.parametrize(("rate", "fps"), [("30000/1001", "30000/1001"), ("24000/1001", "24000/1001"), ("50", "50")])
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "avi"])
def test_rates_are_exact_in_every_container(tmp_path: Path, rate: str, fps: str, container: str) -> None:
    path = counter(tmp_path / f"film.{container}", 30, rate)
    assert str(Film(path).info.fps) == fps
    assert numbers(path, spec(30, fps)) == list(range(30))


def test_a_blurred_rate_is_the_common_one_it_stands_for() -> None:
    assert plain_rate(Fraction(23976, 1000)) == Fraction(24000, 1001)
    assert plain_rate(Fraction(2997, 100)) == Fraction(30000, 1001)
    assert plain_rate(Fraction(25)) == 25 and plain_rate(Fraction(37, 3)) == Fraction(37, 3)


def test_variable_rate_becomes_constant_by_timestamps(tmp_path: Path) -> None:
    whole = counter(tmp_path / "whole.mp4", 20)
    path = tmp_path / "variable.mkv"
    keep = "select='not(between(mod(n,10),4,6))'"
    ffmpeg("-i", whole, "-vf", keep, "-fps_mode", "vfr", "-c:v", "libx264", "-qp", "0", path)
    held = [3 if 4 <= n <= 6 else 13 if 14 <= n <= 16 else n for n in range(20)]
    assert numbers(path, spec(20)) == held


def test_start_end_and_speed(forty: Path) -> None:
    assert numbers(forty, spec(5), start="0.4s", end="15f") == [10, 11, 12, 13, 14]
    assert numbers(forty, spec(5), speed=2.0) == [0, 2, 4, 6, 8]
    assert numbers(forty, spec(6), speed=0.5) == [0, 0, 1, 1, 2, 2]
    assert preset_frames(forty, "    start: 0.4s\n    end: 15f\n") == 5
    assert preset_frames(forty, "    speed: 4\n") == 10


def preset_frames(path: Path, keys: str) -> int:
    text = f"stages:\n  - stage: video\n    path: {path}\n{keys}"
    return parse_preset(text.encode()).spec().frames


@pytest.mark.parametrize("keys", ["    start: 9s\n", "    start: 1s\n    end: 0.5s\n"])
def test_an_empty_part_is_refused(forty: Path, keys: str) -> None:
    with pytest.raises(PresetError, match=r"lasts 1\.600s: nothing lies from"):
        preset_frames(forty, keys)


@pytest.mark.parametrize("fps", ["10", "60", "30000/1001"])
def test_another_rate_shows_the_picture_of_the_time(forty: Path, fps: str) -> None:
    run = spec(9, fps)
    for index, number in enumerate(numbers(forty, run)):
        assert abs(number - index * 25 / Fraction(fps)) <= 0.75


# Pictures: orientation, shape, depth, range, matrix, alpha, fields.


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
    with pytest.raises(MediaError, match=r"is HDR .*tonemap"):
        Film(path)


def test_an_8k_film_is_read_small(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    ffmpeg(*pattern(0.08, size="7680x4320"), "-c:v", "mjpeg", "-q:v", "20", path)
    film = open_footage(path, Fraction(25))
    assert film.info.size == Size(4320, 7680)
    timing = Timing(Fraction(0), film.info.seconds, Fraction(1), Fraction(25))
    frames = list(at_constant_rate(film, Size(48, 64), "crop", timing))
    assert len(frames) == 2 and size_of(frames[0]) == Size(48, 64)


# Damage.


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


# Other things that move.


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


# Seeking and resuming.


@pytest.mark.parametrize("index", [1, 11, 12, 13, 30, 39])
def test_opening_in_the_middle_shows_the_very_same_frame(forty: Path, index: int) -> None:
    assert numbers_from(forty, index) == list(range(index, 40))


def numbers_from(path: Path, index: int) -> list[int]:
    film = stage(path, spec(40))
    return [number_of(frame) for frame in shown(film, range(index, 40))]


@pytest.mark.parametrize("name", FILMS)
def test_seeking_in_real_films_is_exact(name: str) -> None:
    film = Film(real_film(name))
    shots = list(film.pictures(Fraction(0), Size(36, 64)))
    for index in (1, 40, 77, len(shots) - 1):
        found = [s for s in film.pictures(shots[index].time, Size(36, 64)) if s.time <= shots[index].time][-1]
        assert torch.equal(found.read(), shots[index].read())


def test_resume_checks_the_picture_it_left_off_at(forty: Path, tmp_path: Path) -> None:
    before = stage(forty, spec(40))
    shown(before, range(21))
    state = before.state_dict()
    again = stage(forty, spec(40))
    again.load_state_dict(state)
    assert number_of(shown(again, range(21, 22))[0]) == 21
    other = stage(counter(tmp_path / "other.mp4", 40, "25", "-vf", "negate"), spec(40))
    other.load_state_dict(state)
    with pytest.raises(MediaError, match=r"frame 20 of .* is not what it was"):
        shown(other, range(21, 22))


def test_a_seek_that_lands_wrong_is_not_believed(forty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stage(forty, spec(40))
    shown(before, range(36))
    honest = video_stage.at_constant_rate

    def misled(footage, size, fit, timing, first=0, *, seek=True):  # type: ignore[no-untyped-def]
        return honest(footage, size, fit, timing, first - 3 if seek else first, seek=seek)

    monkeypatch.setattr(video_stage, "at_constant_rate", misled)
    again = stage(forty, spec(40))
    again.load_state_dict(before.state_dict())
    assert number_of(shown(again, range(36, 37))[0]) == 36


def test_cuts_and_motion_come_with_the_frames(tmp_path: Path) -> None:
    for name, colour in (("1", "red"), ("2", "blue")):
        write_png(torch.zeros(1, 3, 48, 64), tmp_path / "x.png")
        ffmpeg("-f", "lavfi", "-i", f"color={colour}:size=64x48:rate=25:duration=0.12", tmp_path / f"{name}.mkv")
    path = tmp_path / "cut.mkv"
    ffmpeg("-i", tmp_path / "1.mkv", "-i", tmp_path / "2.mkv", "-filter_complex", "concat=n=2", "-c:v", "ffv1", path)
    run = RunSpec(Size(48, 64), Fraction(25), 6, 0, torch.device("cpu"))
    film = stage(path, run)
    previous, seen = None, []
    for index in range(6):
        ctx = FrameContext(index, run, previous)
        previous = film(ctx)
        seen.append((ctx.fresh, ctx.motion is not None))
    film.close()
    still, new = (False, True), (True, False)
    assert seen == [new, still, still, new, still, still]


def test_threads_end_with_the_stage(forty: Path) -> None:
    before = set(threading.enumerate())
    film = stage(forty, spec(40))
    film(FrameContext(0, film.spec, None))
    assert len(set(threading.enumerate()) - before) == 2
    film.close()
    assert not set(threading.enumerate()) - before


def test_a_preset_file_may_name_a_film_beside_it(tmp_path: Path) -> None:
    counter(tmp_path / "film.mp4", 3)
    (tmp_path / "p.yaml").write_text("stages:\n  - stage: video\n    path: film.mp4\n")
    assert load_preset(tmp_path / "p.yaml").spec().frames == 3


def test_an_iterator_that_breaks_when_closed_is_told_not_waited_for() -> None:
    class Broken:
        def __iter__(self) -> Broken:
            return self

        def __next__(self) -> int:
            raise StopIteration

        def close(self) -> None:
            raise MediaError("can't be closed")

    ahead = Ahead(Broken())
    found: list[BaseException] = []

    def take() -> None:
        try:
            next(ahead)
        except MediaError as error:
            found.append(error)

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    taker.join(5)
    ahead.close()
    assert [str(error) for error in found] == ["can't be closed"]


def test_a_film_is_opened_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened = counter(tmp_path / "film.mp4", 5), []

    class Counted(Film):
        def __init__(self, path: Path) -> None:
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr(footage, "Film", Counted)
    text = f"stages: [{{stage: video, path: {path}}}]"
    preset = parse_preset(text)
    assert preset.soundtrack() is not None and len(opened) == 1
    counter(path, 7)
    assert parse_preset(text).duration.frames == 7 and len(opened) == 2
