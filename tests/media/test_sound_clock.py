"""Sound stays on its pictures' clock, whatever container it comes from and wherever it is cut."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import pytest

from pipeline.media.film import Film
from pipeline.media.joining import join
from pipeline.media.sound import Soundtrack
from tests.clicks import SECONDS, click_input, clicking, clicks_heard
from tests.clips import ffmpeg, pattern

H264 = ("-c:v", "libx264", "-preset", "ultrafast")
FILMS = {
    "aac.mp4": (*H264, "-c:a", "aac"),
    "fragmented.mp4": (*H264, "-c:a", "aac", "-movflags", "frag_keyframe+delay_moov"),
    "alac.mov": (*H264, "-c:a", "alac"),
    "ac3.mp4": (*H264, "-c:a", "ac3"),
    "pcm.mov": (*H264, "-c:a", "pcm_s16le"),
    "aac.mkv": (*H264, "-c:a", "aac"),
    "mp3.mkv": (*H264, "-c:a", "libmp3lame"),
    "eac3.mkv": (*H264, "-c:a", "eac3"),
    "flac.mkv": (*H264, "-c:a", "flac"),
    "aac.flv": ("-c:v", "flv1", "-c:a", "aac"),
    "mp3.flv": ("-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "44100"),
    "aac.ts": (*H264, "-c:a", "aac"),
    "ac3.ts": (*H264, "-c:a", "ac3"),
    "mp2.mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "opus.webm": ("-c:v", "libvpx", "-c:a", "libopus"),
    "vorbis.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "pcm.avi": ("-c:v", "mpeg4", "-c:a", "pcm_s16le"),
    "wma.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
}
COPIED = {"aac.mp4", "fragmented.mp4", "alac.mov", "ac3.mp4", "aac.mkv", "mp3.mkv", "eac3.mkv", "aac.flv", "mp3.flv"}
COPIED |= {"aac.ts", "ac3.ts"}
SOUNDS = {
    "mp3": ("-c:a", "libmp3lame"),
    "vbr.mp3": ("-c:a", "libmp3lame", "-q:a", "5"),
    "wav": (),
    "flac": (),
    "ogg": ("-c:a", "libvorbis"),
    "opus": ("-c:a", "libopus"),
    "m4a": ("-c:a", "aac"),
    "mka": ("-c:a", "libopus"),
    "aiff": (),
    # These two say nothing of the samples that their encoders put in front: 1024 and 256.
    "aac": ("-c:a", "aac"),
    "ac3": ("-c:a", "ac3"),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the film of a name, which is made once."""
    folder = tmp_path_factory.mktemp("films")
    return lru_cache(lambda name: clicking(folder / name, *FILMS[name]))


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A silent film of three seconds, at 25 fps."""
    path = tmp_path_factory.mktemp("piece") / "piece.mp4"
    ffmpeg(*pattern(3), *H264, "-video_track_timescale", "25", path)
    return path


def with_sound(piece: Path, sound: Soundtrack) -> list[float]:
    """When clicks are heard in the film."""
    film = piece.with_name("film.mp4")
    join([piece], film, Fraction(25), "", sound)
    # The last packet that is copied is a whole one.
    return [time for time in clicks_heard(film) if time < 2.99 or "joined" in sound.path.name]


def codec(piece: Path) -> str:
    with av.open(str(piece.with_name("film.mp4"))) as film:
        return film.streams.audio[0].codec_context.codec.canonical_name


def wanted(start: Fraction, speed: Fraction = Fraction(1)) -> list[float]:
    times = [(second - start) / speed for second in range(SECONDS)]
    return [float(time) for time in times if 0 <= time < Fraction(295, 100)]


@pytest.mark.parametrize("name", FILMS)
def test_every_container_s_sound_is_in_step(films: Callable[[str], Path], piece: Path, name: str) -> None:
    path = films(name)
    origin = Film(path).info.origin
    for start in (Fraction(0), Fraction(5, 2)):
        heard = with_sound(piece, Soundtrack(path, origin + start))
        assert codec(piece) == (name.split(".")[0].replace("fragmented", "aac") if name in COPIED else "aac")
        expected = wanted(start)
        if name == "wma.wmv" and start == 0:
            expected = expected[1:]  # what its decoder gives begins at 86 ms
        assert heard == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("name", sorted(COPIED))
def test_sound_that_is_encoded_anew_is_in_step(films: Callable[[str], Path], piece: Path, name: str) -> None:
    path = films(name)
    # Hardly another pace, but one that can't be copied.
    heard = with_sound(piece, Soundtrack(path, Film(path).info.origin + Fraction(1, 2), Fraction(1001, 1000)))
    assert codec(piece) == "aac"
    assert heard == pytest.approx(wanted(Fraction(1, 2)), abs=0.02)


@pytest.mark.parametrize("speed", [Fraction(1, 2), Fraction(3, 4), Fraction(2)])
@pytest.mark.parametrize("name", ["aac.mp4", "aac.flv", "aac.ts"])
def test_sound_at_another_pace_is_in_step(
    films: Callable[[str], Path], piece: Path, name: str, speed: Fraction
) -> None:
    path, start = films(name), Fraction(1, 2)
    heard = with_sound(piece, Soundtrack(path, Film(path).info.origin + start, speed))
    # A change of pace moves a click by up to half the window it works in.
    assert heard == pytest.approx(wanted(start, speed), abs=0.03)


@pytest.mark.parametrize("ending", SOUNDS)
def test_sound_alone_begins_with_the_film(tmp_path: Path, piece: Path, ending: str) -> None:
    path = clicking(tmp_path / f"song.{ending}", *SOUNDS[ending], pictures=False)
    before = {"aac": 1024 / 48000, "ac3": 256 / 48000}.get(ending, 0)
    assert with_sound(piece, Soundtrack(path)) == pytest.approx([n + before for n in range(3)], abs=0.002)


@pytest.mark.parametrize("ending", ["mp4", "ts", "mkv"])
def test_sound_that_begins_late_is_late(tmp_path: Path, piece: Path, ending: str) -> None:
    path = tmp_path / f"late.{ending}"
    ffmpeg(*pattern(SECONDS), "-itsoffset", "0.4", *click_input(), *H264, "-c:a", "aac", path)
    for speed in (Fraction(1), Fraction(1001, 1000)):  # copied, and encoded anew
        heard = with_sound(piece, Soundtrack(path, Film(path).info.origin, speed))
        assert heard == pytest.approx([0.4, 1.4, 2.4], abs=0.02)
    assert with_sound(piece, Soundtrack(path)) == pytest.approx([0.4, 1.4, 2.4], abs=0.03)


@pytest.mark.parametrize("options", [("-c:a", "aac"), ("-c:a", "alac"), ("-c:a", "libmp3lame")])
def test_an_edit_list_that_cuts_into_a_packet_is_kept(tmp_path: Path, piece: Path, options: tuple[str, ...]) -> None:
    whole, cut = clicking(tmp_path / "whole.mov", *H264, *options), tmp_path / "cut.mov"
    ffmpeg("-ss", "1.3", "-i", whole, "-c", "copy", cut)
    heard = with_sound(piece, Soundtrack(cut, Film(cut).info.origin))
    assert heard == pytest.approx([0.7, 1.7], abs=0.002)


def test_a_gap_in_the_sound_is_silence(tmp_path: Path, piece: Path) -> None:
    path = tmp_path / "gap.mkv"
    gap = "aselect='lt(t,0.5)+gt(t,1.5)'"
    ffmpeg(*pattern(SECONDS), *click_input(), *H264, "-af", gap, "-c:a", "flac", path)
    assert with_sound(piece, Soundtrack(path, Film(path).info.origin)) == pytest.approx([0, 2], abs=0.02)


def test_joined_broadcasts_stay_in_step(tmp_path: Path) -> None:
    """Sounds end raggedly, so that where one follows the other each seam would move them by 32 ms."""
    one, other, joined = tmp_path / "1.ts", tmp_path / "2.ts", tmp_path / "joined.ts"
    clicking(one, *H264, "-c:a", "aac")
    clicking(other, *H264, "-c:a", "aac", "-ac", "2")
    joined.write_bytes(one.read_bytes() + other.read_bytes() + one.read_bytes())
    piece = tmp_path / "piece.mp4"
    ffmpeg(*pattern(3 * SECONDS), *H264, "-video_track_timescale", "25", piece)
    heard = with_sound(piece, Soundtrack(joined, Film(one).info.origin))
    assert codec(piece) == "aac"
    # Of a click at a seam, the end of the sound before may take the beginning.
    seams = {SECONDS, 2 * SECONDS}
    assert {round(time) for time in heard} | seams == set(range(3 * SECONDS))
    assert all(abs(time - round(time)) < 0.02 for time in heard if round(time) not in seams)


def test_sound_that_ends_early_or_never_begins(tmp_path: Path, piece: Path) -> None:
    path = tmp_path / "short.mkv"
    ffmpeg(*pattern(SECONDS), *click_input(seconds=1), *H264, "-c:a", "aac", path)
    origin = Film(path).info.origin
    assert with_sound(piece, Soundtrack(path, origin)) == pytest.approx([0], abs=0.02)
    for speed in (Fraction(1), Fraction(2)):
        join([piece], piece.with_name("film.mp4"), Fraction(25), "", Soundtrack(path, origin + 2, speed))
        with av.open(str(piece.with_name("film.mp4"))) as film:
            assert film.streams.video[0].frames == 75 and not film.streams.audio
