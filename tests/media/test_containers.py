"""Every container: each picture once, in the order ffmpeg decodes them, at the right time, and after a resume too."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

import pipeline
from pipeline.frame import Size
from pipeline.media.film import Film
from pipeline.media.footage import Timing, at_constant_rate
from pipeline.preset import parse_preset
from tests.clips import ffmpeg
from tests.numbered import MPEG2, REORDERED, TONE, X264, as_ffmpeg_decodes, gif_with_delays, make, number_in, timed
from tests.numbered import write_pictures as written

PICTURES = 60
Clips = Callable[[str], Path]

# The name of each film says its container; the options make it from sixty numbered pictures at 25 a second.
MADE: dict[str, tuple[str, ...]] = {
    "reordered.mp4": REORDERED,
    "fragmented.mp4": (*REORDERED, "-movflags", "frag_keyframe+empty_moov"),
    "hevc.mp4": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:bframes=3:keyint=12"),
    "variable.mp4": ("-vf", "select='not(between(mod(n,10),4,6))'", "-fps_mode", "vfr", *REORDERED),
    "phone.3gp": X264,
    "prores.mov": ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"),
    "plain.mkv": REORDERED,
    "live.mkv": (*REORDERED, "-live", "1"),
    "slides.mkv": (*timed("200*N"), *X264),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-g", "12", "-deadline", "realtime", "-cpu-used", "8"),
    "browser.webm": (
        *timed("1000*N/30+12*sin(N*N)"),
        *("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-live", "1"),
    ),
    "reordered.avi": REORDERED,
    "asp.avi": ("-c:v", "mpeg4", "-q:v", "2", "-bf", "2"),
    "jpegs.avi": ("-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"),
    "plain.ts": REORDERED,
    "mpeg2.ts": MPEG2,
    "sound.ts": (*TONE, *REORDERED, "-c:a", "aac"),
    "fields.ts": ("-vf", "scale=128:96:flags=neighbor,setfield=tff", *MPEG2, "-flags", "+ilme+ildct"),
    "small-fields.ts": ("-vf", "setfield=tff", *MPEG2, "-flags", "+ilme+ildct"),
    "wrapping.ts": (*REORDERED, "-output_ts_offset", str(2**33 / 90000 - 2.4)),
    "plain.mpg": (*TONE, *MPEG2, "-c:a", "mp2"),
    "mpeg1.mpg": ("-c:v", "mpeg1video", "-q:v", "2", "-bf", "2", "-f", "mpeg"),
    "plain.vob": (*TONE, *MPEG2, "-c:a", "mp2", "-f", "vob"),
    "plain.flv": (*TONE, *REORDERED, "-c:a", "aac"),
    "sorenson.flv": ("-c:v", "flv", "-q:v", "2"),
    "plain.wmv": ("-c:v", "wmv2", "-q:v", "2"),
    "plain.ogv": ("-c:v", "libtheora", "-q:v", "8"),
    "plain.gif": (),
    "plain.apng": ("-f", "apng"),
    "palette.mov": ("-c:v", "qtrle", "-g", "12"),
    "raw.h264": REORDERED,
    "raw.mjpeg": ("-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"),
    "plain.mxf": (*MPEG2, "-pix_fmt", "yuv420p"),
    "plain.y4m": ("-pix_fmt", "yuv420p"),
    "plain.nut": REORDERED,
    "before-zero.mkv": (*REORDERED, "-output_ts_offset", "-1", "-avoid_negative_ts", "disabled"),
}


def _joined(path: Path, clip: Clips, name: str, times: int) -> Path:
    path.write_bytes(clip(name).read_bytes() * times)
    return path


def _added(path: Path, first: Path, second: Path) -> Path:
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


def _cut_off(path: Path, clip: Clips) -> Path:
    data = clip("plain.ts").read_bytes()
    path.write_bytes(data[len(data) * 3 // 8 // 188 * 188 :])
    return path


def _with_tag(path: Path, clip: Clips, text: bytes) -> Path:
    data = bytearray(clip("plain.mkv").read_bytes())
    place = data.find(b"00:00:02.4")
    data[place : place + 18] = text.ljust(18, b"\0")
    path.write_bytes(data)
    return path


def _copied(path: Path, clip: Clips, name: str, *before: str, after: tuple[str, ...] = ()) -> Path:
    ffmpeg(*before, "-i", clip(name), *after, "-c", "copy", path)
    return path


# Films made of those above.
DERIVED: dict[str, Callable[[Path, Clips], Path]] = {
    "edited.mov": lambda path, clip: _copied(path, clip, "reordered.mp4", "-ss", "0.5"),
    "mirrored.mp4": lambda path, clip: _copied(path, clip, "reordered.mp4", "-display_hflip"),
    "turned.mp4": lambda path, clip: _copied(path, clip, "reordered.mp4", "-display_rotation", "180"),
    "late.mkv": lambda path, clip: _copied(
        path, clip, "reordered.mp4", *TONE, "-itsoffset", "2", after=("-map", "1:v", "-map", "0:a")
    ),
    "too-short.mkv": lambda path, clip: _with_tag(path, clip, b"00:00:01.000000000"),
    "too-long.mkv": lambda path, clip: _with_tag(path, clip, b"00:00:09.000000000"),
    "garbage.mkv": lambda path, clip: _with_tag(path, clip, b"garbage"),
    "joined.ts": lambda path, clip: _joined(path, clip, "plain.ts", 2),
    "joined-thrice.ts": lambda path, clip: _joined(path, clip, "mpeg2.ts", 3),
    "joined.mkv": lambda path, clip: _joined(path, clip, "plain.mkv", 2),
    "joined.mpg": lambda path, clip: _joined(path, clip, "plain.mpg", 2),
    "sound-comes-later.ts": lambda path, clip: _added(path, clip("plain.ts"), clip("sound.ts")),
    "two-sizes.ts": lambda path, clip: _added(path, clip("fields.ts"), clip("small-fields.ts")),
    "cut-off.ts": _cut_off,
    "no-delay.gif": lambda path, clip: gif_with_delays(path, clip("plain.gif"), [0]),
    "least-delay.gif": lambda path, clip: gif_with_delays(path, clip("plain.gif"), [1]),
    "mixed-delays.gif": lambda path, clip: gif_with_delays(path, clip("plain.gif"), [2, 50, 5, 0, 10]),
    "two.gif": lambda path, clip: make(path, clip("pictures"), "-frames:v", "2", rate="10"),
}
NAMES = (*MADE, *DERIVED)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Makes a film by its name, once."""
    folder = tmp_path_factory.mktemp("containers")

    def find(name: str) -> Path:
        path = folder / name
        if path.exists():
            return path
        if name == "pictures":
            return written(path, PICTURES)
        if name in DERIVED:
            return DERIVED[name](path, find)
        return make(path, find("pictures"), *MADE[name])

    return find


DECODED = cache(as_ffmpeg_decodes)  # a second of ffmpeg for each, and two tests want it


def constant(film: Film, first: int = 0, fps: Fraction | None = None) -> list[int]:
    info = film.info
    timing = Timing(Fraction(0), info.seconds, Fraction(1), info.fps if fps is None else fps)
    return [number_in(frame) for frame in at_constant_rate(film, info.size, "stretch", timing, first)]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_those_that_ffmpeg_decodes_in_its_order(clip: Clips, name: str) -> None:
    film = Film(clip(name))
    shots = list(film.pictures(Fraction(0)))
    assert [number_in(shot.read()) for shot in shots] == DECODED(clip(name))
    times = [shot.time for shot in shots]
    assert times[0] == 0 and times == sorted(set(times)) and times[-1] < film.info.seconds
    assert film.missing == 0 and film.broken == 0


@pytest.mark.parametrize("name", NAMES)
def test_each_is_shown_at_the_film_s_own_rate(clip: Clips, name: str) -> None:
    """No picture is passed over, and the film's length is theirs."""
    film = Film(clip(name))
    found = constant(film)
    assert sorted(set(found), key=found.index) == list(dict.fromkeys(DECODED(clip(name))))
    assert abs(len(found) - film.info.seconds * film.info.fps) <= Fraction(1, 2)


@pytest.mark.parametrize("name", NAMES)
def test_entered_in_the_middle_it_goes_on_as_if_it_had_not_been(clip: Clips, name: str) -> None:
    whole = constant(Film(clip(name)))
    for first in {1, len(whole) // 3, len(whole) // 2, len(whole) * 3 // 4, len(whole) - 1}:
        assert constant(Film(clip(name)), first) == whole[first:]


@pytest.mark.parametrize("name", ["reordered.mp4", "plain.mkv", "plain.ts", "plain.flv", "vp9.webm"])
def test_ordinary_films_are_entered_by_a_seek(clip: Clips, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    film, decoded = Film(clip(name)), []
    honest = Film._whole

    def counted(self, decoder, packet, number, since):  # type: ignore[no-untyped-def]
        decoded.append(number)
        yield from honest(self, decoder, packet, number, since)

    monkeypatch.setattr(Film, "_whole", counted)
    shot = next(film.pictures(Fraction(2)))
    assert 0 < shot.time <= 2 and min(decoded) > 0


RATES = {
    "browser.webm": (30, 2),
    "two.gif": (10, Fraction(1, 5)),
    "no-delay.gif": (10, 6),
    "least-delay.gif": (10, 6),
    "variable.mp4": (25, Fraction(12, 5)),
    "joined.ts": (25, Fraction(24, 5)),
    "late.mkv": (25, Fraction(12, 5)),
    "plain.mpg": (25, Fraction(12, 5)),
    "before-zero.mkv": (25, Fraction(12, 5)),
    "cut-off.ts": (25, Fraction(36, 25)),
}


@pytest.mark.parametrize("name", RATES)
def test_rate_and_length_are_the_pictures_not_the_header_s(clip: Clips, name: str) -> None:
    info = Film(clip(name)).info
    fps, seconds = RATES[name]
    assert info.fps == fps and info.seconds == pytest.approx(seconds, abs=0.02)


NOTES = {
    "joined.ts": "timestamps start over",
    "too-short.mkv": "runs 1.40s longer",
    "too-long.mkv": "ends 6.60s earlier",
    "least-delay.gif": "59 pictures have no delay",
    "variable.mp4": "variable frame rate",
    "garbage.mkv": None,
    "late.mkv": None,
    "plain.mpg": None,
    "plain.gif": None,
}


@pytest.mark.parametrize("name", NOTES)
def test_what_is_repaired_is_said(clip: Clips, name: str) -> None:
    notes, words = Film(clip(name)).info.notes, NOTES[name]
    assert not notes if words is None else any(words in note for note in notes)


@pytest.mark.parametrize("name", ["reordered.mp4", "variable.mp4", "mixed-delays.gif", "browser.webm", "joined.ts"])
@pytest.mark.parametrize("fps", [Fraction(10), Fraction(24000, 1001), Fraction(60)])
def test_at_any_rate_a_frame_shows_the_picture_of_its_time(clip: Clips, name: str, fps: Fraction) -> None:
    film = Film(clip(name))
    shots = [(shot.time, number_in(shot.read())) for shot in film.pictures(Fraction(0))]
    slack = min(1 / fps, 1 / film.info.fps) / 2
    due = [max(n for n in range(len(shots)) if shots[n][0] <= index / fps + slack) for index in range(600)]
    found = constant(film, 0, fps)
    assert found == [shots[due[index]][1] for index in range(len(found))]


@pytest.mark.parametrize("name", ["reordered.avi", "joined.ts", "plain.mpg", "browser.webm", "least-delay.gif"])
def test_a_render_stopped_in_the_middle_goes_on_to_the_same_bytes(clip: Clips, name: str, tmp_path: Path) -> None:
    text = f"size: 64x48\nduration: 45f\nstages:\n  - {{stage: video, path: {clip(name)}}}\n"
    preset = parse_preset(f"{text}  - {{stage: encode, preset: ultrafast, crf: 10}}\n")
    whole = pipeline.render(preset, tmp_path / "whole")
    seen: list[int] = []
    options = pipeline.Options(should_stop=lambda: len(seen) == 29, on_frame=lambda frame, _: seen.append(frame.index))
    assert not pipeline.render(preset, tmp_path / "stopped", options=options).finished
    result = pipeline.resume(tmp_path / "stopped")
    assert result.rendered == 16 and result.path.read_bytes() == whole.path.read_bytes()
    film = Film(result.path)
    shown = [number_in(shot.read()) for shot in film.pictures(Fraction(0), Size(48, 64))]
    assert shown == constant(Film(clip(name)))[:45]
