"""Footage as the video stage shows it: size, rate, length, parts, speed, and from the middle on."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import pytest
import torch

import pipeline.media.footage as footage
import pipeline.stages.video as video_stage
from pipeline.errors import MediaError, PresetError
from pipeline.frame import Size
from pipeline.media.ahead import Ahead
from pipeline.media.film import Film
from pipeline.media.picture import write_png
from pipeline.media.rate import plain_rate
from pipeline.preset import load_preset, parse_preset
from pipeline.stages import FrameContext, RunSpec
from tests.clips import FILMS, counter, ffmpeg, number_of, real_film
from tests.stages.over import numbers, preset, preset_frames, shown, spec, stage


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty numbered frames with a key frame every 12, and frames that refer both ways."""
    path = tmp_path_factory.mktemp("clips") / "forty.mp4"
    return counter(path, 40, "25", "-preset", "medium", "-g", "12", "-bf", "3")


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


@pytest.mark.parametrize("keys", ["    start: 9s\n", "    start: 1s\n    end: 0.5s\n"])
def test_an_empty_part_is_refused(forty: Path, keys: str) -> None:
    with pytest.raises(PresetError, match=r"lasts 1\.600s: nothing lies from"):
        preset_frames(forty, keys)


@pytest.mark.parametrize("fps", ["10", "60", "30000/1001"])
def test_another_rate_shows_the_picture_of_the_time(forty: Path, fps: str) -> None:
    run = spec(9, fps)
    for index, number in enumerate(numbers(forty, run)):
        assert abs(number - index * 25 / Fraction(fps)) <= 0.75


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
        def __init__(self, path: Path, *, hdr: bool = False) -> None:
            opened.append(path)
            super().__init__(path, hdr=hdr)

    monkeypatch.setattr(footage, "Film", Counted)
    text = f"stages: [{{stage: video, path: {path}}}]"
    preset = parse_preset(text)
    assert preset.soundtrack() is not None and len(opened) == 1
    counter(path, 7)
    assert parse_preset(text).duration.frames == 7 and len(opened) == 2
