"""Sound: the source's own, in step with its pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import PresetError
from pipeline.preset import parse_preset
from pipeline.run import render
from tests.clips import beep_and_flash, counter, ffmpeg, onset_seconds, pattern, real_film


def rendered(tmp_path: Path, film: Path, keys: str = "", top: str = "", name: str = "film") -> Path:
    text = f"{top}\nstages:\n  - stage: video\n    path: {film}\n{keys}  - stage: encode\n    preset: ultrafast\n"
    return render(parse_preset(text.encode(), name=name), tmp_path / name).path


def sounds(path: Path) -> list[str]:
    with av.open(str(path)) as film:
        return [stream.codec_context.name for stream in film.streams.audio]


def flash_and_beep(path: Path) -> tuple[float, float]:
    """When the white picture is shown and when the tone begins, in seconds on the film's clock."""
    with av.open(str(path)) as film:
        flash = next(f.time for f in film.decode(video=0) if f.to_ndarray(format="gray").mean() > 128)
    with av.open(str(path)) as film:
        heard = [f for f in film.decode(audio=0)]
        rate, first = heard[0].sample_rate, heard[0].time
        samples = np.concatenate([f.to_ndarray() for f in heard], 1)
    assert flash is not None and first is not None
    return flash, first + onset_seconds(samples, rate)


CASES = {
    "whole film, copied": ("clip.mp4", (), "", Fraction(1)),
    "from 0.5 s, copied": ("clip.mp4", (), "    start: 0.48s\n", Fraction(1)),
    "from past a key frame": (
        "clip.mp4",
        ("-c:v", "libx264", "-g", "10", "-c:a", "aac"),
        "    start: 0.92s\n",
        Fraction(1),
    ),
    "opus becomes aac": ("clip.mkv", ("-c:v", "libx264", "-c:a", "libopus"), "    start: 0.4s\n", Fraction(1)),
    "raw samples become aac": ("clip.mov", ("-c:v", "libx264", "-c:a", "pcm_s16le"), "    start: 0.4s\n", Fraction(1)),
    "a clock that begins late": ("clip.ts", ("-c:v", "libx264", "-c:a", "aac"), "    start: 0.4s\n", Fraction(1)),
    "twice as fast": ("clip.mp4", (), "    speed: 2\n", Fraction(2)),
    "slow motion": ("clip.mp4", (), "    speed: 0.5\n", Fraction(1, 2)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_clap_stays_with_its_flash(tmp_path: Path, case: str) -> None:
    name, options, keys, speed = CASES[case]
    film = beep_and_flash(tmp_path / name, Fraction(6, 5), 2, "25", *options)
    result = rendered(tmp_path, film, keys)
    flash, beep = flash_and_beep(result)
    assert abs(flash - beep) < 1 / 25
    start = Fraction(keys.split("start: ")[1].split("s")[0]) if "start" in keys else 0
    assert flash == pytest.approx(float((Fraction(6, 5) - start) / speed), abs=1 / 25)


def test_sound_is_copied_where_mp4_can_hold_it(tmp_path: Path) -> None:
    film = beep_and_flash(tmp_path / "clip.mp4", Fraction(1), 2, "25")
    assert sounds(rendered(tmp_path, film)) == ["aac"]
    packets = []
    for path in (film, rendered(tmp_path, film, name="again")):
        with av.open(str(path)) as container:
            packets.append([bytes(p) for p in container.demux(audio=0) if p.size])
    assert set(packets[1]) <= set(packets[0])


def test_sound_longer_than_the_pictures_is_trimmed(tmp_path: Path) -> None:
    film = tmp_path / "long.mkv"
    ffmpeg(*pattern(1), "-f", "lavfi", "-i", "sine=duration=4", "-c:v", "libx264", "-c:a", "aac", film)
    preset = parse_preset(f"stages:\n  - stage: video\n    path: {film}\n".encode())
    assert preset.spec().frames == 25
    with av.open(str(rendered(tmp_path, film))) as container:
        assert container.duration == pytest.approx(1e6, abs=4e4)


@pytest.mark.parametrize("audio", ["none", "source"])
def test_silence_where_asked_for_or_where_there_is_no_sound(tmp_path: Path, audio: str) -> None:
    film = counter(tmp_path / "silent.mp4", 5)
    if audio == "none":
        film = beep_and_flash(tmp_path / "clip.mp4", Fraction(1, 2), 1, "25")
    assert sounds(rendered(tmp_path, film, top=f"audio: {audio}")) == []


def test_another_file_s_sound(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", tmp_path / "song.wav")
    film = counter(tmp_path / "silent.mp4", 5)
    assert sounds(rendered(tmp_path, film, top=f"audio: {tmp_path}/song.wav")) == ["aac"]


def test_a_sound_that_is_not_there_is_refused(tmp_path: Path) -> None:
    film = counter(tmp_path / "silent.mp4", 5)
    with pytest.raises(PresetError, match=r"audio: is .*there is no such file"):
        rendered(tmp_path, film, top="audio: song.wav")


def test_a_file_without_sound_is_refused_before_the_render(tmp_path: Path) -> None:
    film = counter(tmp_path / "silent.mp4", 5)
    with pytest.raises(PresetError, match=r"audio: is .*this one is silent"):
        rendered(tmp_path, film, top=f"audio: {film}")
    (tmp_path / "song.wav").write_bytes(b"no sound at all")
    with pytest.raises(PresetError, match=r"audio: is .*can't read the sound"):
        rendered(tmp_path, film, top=f"audio: {tmp_path}/song.wav")


def test_a_run_that_goes_on_is_not_asked_for_its_sound_yet(tmp_path: Path) -> None:
    text = f"audio: {tmp_path}/song.wav\nstages: [{{stage: noise}}]"
    assert parse_preset(text, checked=False).audio == f"{tmp_path}/song.wav"
    with pytest.raises(PresetError, match="there is no such file"):
        parse_preset(text)


def test_the_same_film_twice_is_the_same_bytes(tmp_path: Path) -> None:
    film = beep_and_flash(tmp_path / "clip.mkv", Fraction(1, 2), 1, "25", "-c:v", "libx264", "-c:a", "libopus")
    one, two = (tmp_path / name for name in ("one", "two"))
    assert rendered(one, film).read_bytes() == rendered(two, film).read_bytes()


def test_pictures_keep_their_exact_times(tmp_path: Path) -> None:
    film = tmp_path / "ntsc.mkv"
    ffmpeg(*pattern(1, "30000/1001"), "-f", "lavfi", "-i", "sine=duration=1", "-c:v", "libx264", film)
    with av.open(str(rendered(tmp_path, film))) as container:
        stream = container.streams.video[0]
        times = [packet.pts * stream.time_base for packet in container.demux(stream) if packet.size]
    assert sorted(times) == [n * Fraction(1001, 30000) for n in range(30)]


def test_a_real_film_keeps_its_sound(tmp_path: Path) -> None:
    path = rendered(tmp_path, real_film("bigbuckbunny"), top="size: 64x36\nduration: 50f", keys="    start: 1s\n")
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.frames == 50 and audio.codec_context.name == "aac"
        assert audio.duration is not None and audio.time_base is not None
        assert float(audio.duration * audio.time_base) == pytest.approx(2, abs=0.03)
