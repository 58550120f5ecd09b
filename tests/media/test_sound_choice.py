"""Which of a file's sounds is taken, what is copied, and what becomes of a film whose sound can't be had."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from pipeline.cli.commands import app
from pipeline.errors import MediaError, PresetError, RunError
from pipeline.media.joining import count_frames, join
from pipeline.media.sound import Soundtrack, find_sound
from pipeline.preset import parse_preset
from pipeline.run import Options, assemble, render, resume
from tests.clicks import click_input, clicking, clicks_heard
from tests.clips import ffmpeg, pattern

H264 = ("-c:v", "libx264", "-preset", "ultrafast")
AAC = (*H264, "-c:a", "aac")
HUM = ("-f", "lavfi", "-i", "sine=frequency=50:duration=4,volume=0.1")


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    path = tmp_path / "piece.mp4"
    ffmpeg(*pattern(3), *H264, "-video_track_timescale", "25", path)
    return path


def phone(path: Path, sounds: int = 1) -> Path:
    """A film whose first `sounds` sounds, of two, are in a format that nothing here decodes, as spatial audio is."""
    ffmpeg(*pattern(4), *HUM, *click_input(), "-map", "0", "-map", "1", "-map", "2", *AAC, "-f", "mp4", path)
    data = path.read_bytes()
    for _ in range(sounds):
        data = data.replace(b"mp4a", b"apac", 1).replace(b"esds", b"free", 1)
    path.write_bytes(data)
    return path


def over(path: Path, top: str = "", name: str = "film", **keys: object) -> str:
    lines = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    return f"name: {name}\nsize: 64x48\n{top}\nstages:\n  - stage: video\n    path: {path}\n{lines}"


def sounds(film: Path) -> list[str]:
    with av.open(str(film)) as container:
        return [stream.codec_context.codec.canonical_name for stream in container.streams.audio]


def test_a_sound_without_a_decoder_is_passed_over(tmp_path: Path) -> None:
    result = render(parse_preset(over(phone(tmp_path / "phone.mov"))), tmp_path / "run")
    assert sounds(result.path) == ["aac"] and not result.notes
    assert clicks_heard(result.path) == pytest.approx([0, 1, 2, 3], abs=0.02)


def test_a_film_whose_sound_nothing_decodes_is_silent_and_says_so_from_the_beginning(tmp_path: Path) -> None:
    path, said = phone(tmp_path / "phone.mov", 2), []
    result = render(parse_preset(over(path)), tmp_path / "run", options=Options(on_message=said.append))
    assert count_frames(result.path) == 100 and sounds(result.path) == []
    assert any("the film will be silent" in text and "phone.mov can't be decoded" in text for text in said)
    assert any("the film is silent" in note and "--audio FILE" in note for note in result.notes)
    assert resume(tmp_path / "run").notes and assemble(tmp_path / "run") == (result.path, 100)


def test_a_soundtrack_that_nothing_decodes_is_refused_before_the_first_frame(tmp_path: Path) -> None:
    path = phone(tmp_path / "phone.mov", 2)
    with pytest.raises(PresetError, match=r"preset:4: audio: .*phone.mov can't be decoded .*give another, or none"):
        parse_preset(over(path, f"fps: 25\naudio: {path}"))
    (tmp_path / "pipe.wav").mkdir()
    with pytest.raises(PresetError, match=r"audio: .*is a folder"):
        parse_preset(over(path, f"audio: {tmp_path}/pipe.wav"))


def test_the_default_sound_is_taken(tmp_path: Path, piece: Path) -> None:
    path = tmp_path / "two.mkv"
    choice = ("-disposition:a:0", "0", "-disposition:a:1", "default")
    ffmpeg(*pattern(4), *HUM, *click_input(), "-map", "0", "-map", "1", "-map", "2", *AAC, *choice, path)
    assert find_sound(path) == 2
    join([piece], tmp_path / "film.mp4", Fraction(25), "", Soundtrack(path))
    assert clicks_heard(tmp_path / "film.mp4")[:3] == pytest.approx([0, 1, 2], abs=0.02)


def test_a_track_that_holds_nothing_is_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    ffmpeg(*pattern(1), *click_input(), *AAC, "-af", "aselect=0", path)
    assert find_sound(path) is None


@pytest.mark.parametrize(
    ("options", "suffix", "wanted"),
    [
        (("-c:a", "libopus"), ".webm", "opus"),
        (("-c:a", "aac"), ".webm", "opus"),
        (("-c:a", "pcm_s16le", "-ac", "6"), ".webm", "opus"),
        (("-c:a", "libmp3lame"), ".mov", "mp3"),
        (("-c:a", "pcm_s16le"), ".mkv", "aac"),
    ],
)
def test_other_containers_have_the_sound_that_they_hold(
    tmp_path: Path, options: tuple[str, ...], suffix: str, wanted: str
) -> None:
    path, piece = clicking(tmp_path / "song.mka", *options, pictures=False), tmp_path / f"piece{suffix}"
    codec = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8") if suffix == ".webm" else H264
    ffmpeg(*pattern(3), *codec, piece)
    join([piece], tmp_path / f"film{suffix}", Fraction(25), "", Soundtrack(path))
    assert sounds(tmp_path / f"film{suffix}") == [wanted] and count_frames(tmp_path / f"film{suffix}") == 75
    assert clicks_heard(tmp_path / f"film{suffix}")[:3] == pytest.approx([0, 1, 2], abs=0.02)


KINDS = {
    "mp3": (("-c:a", "libmp3lame"), 44100, "mp3"),
    "mp3 that mp4 can't hold": (("-c:a", "libmp3lame"), 8000, "aac"),
    "alac": (("-c:a", "alac"), 44100, "alac"),
    "ac3 in 5.1": (("-c:a", "ac3", "-ac", "6"), 48000, "ac3"),
    "pcm in 5.1": (("-c:a", "pcm_s16le", "-ac", "6"), 48000, "aac"),
    "pcm in 7 channels": (("-c:a", "pcm_s16le", "-af", "aformat=channel_layouts=6.1"), 48000, "aac"),
    "8 kHz mono": (("-c:a", "pcm_mulaw"), 8000, "aac"),
    "a rate that aac has not": (("-c:a", "pcm_s16le"), 11111, "aac"),
    "192 kHz": (("-c:a", "flac"), 192000, "aac"),
    "opus": (("-c:a", "libopus"), 48000, "aac"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_sound_is_copied_where_mp4_can_hold_it(tmp_path: Path, piece: Path, kind: str) -> None:
    options, rate, wanted = KINDS[kind]
    path = clicking(tmp_path / "song.mka", *options, pictures=False, rate=rate)
    join([piece], tmp_path / "film.mp4", Fraction(25), "", Soundtrack(path))
    assert sounds(tmp_path / "film.mp4") == [wanted]
    assert clicks_heard(tmp_path / "film.mp4")[:3] == pytest.approx([0, 1, 2], abs=0.02)


def test_channels_are_kept_where_aac_has_them(tmp_path: Path, piece: Path) -> None:
    for layout, kept in (("5.1(side)", 6), ("quad", 4), ("hexadecagonal", 2)):
        path = clicking(tmp_path / "song.wav", "-af", f"aformat=channel_layouts={layout}", pictures=False)
        join([piece], tmp_path / "film.mp4", Fraction(25), "", Soundtrack(path))
        with av.open(str(tmp_path / "film.mp4")) as film:
            assert film.streams.audio[0].layout.nb_channels == kept


def test_a_song_with_a_cover_is_a_song(tmp_path: Path) -> None:
    ffmpeg(*pattern(1), "-frames:v", "1", tmp_path / "cover.png")
    song, cover = tmp_path / "song.mp3", ("-i", str(tmp_path / "cover.png"), "-map", "0", "-map", "1", "-c:v", "png")
    ffmpeg(*click_input(), *cover, "-disposition:v:0", "attached_pic", "-c:a", "libmp3lame", song)
    text = f"audio: {song}\nsize: 64x48\nfps: 25\nduration: 2s\nstages: [{{stage: noise}}]"
    film = render(parse_preset(text), tmp_path / "run").path
    assert sounds(film) == ["mp3"] and clicks_heard(film)[:2] == pytest.approx([0, 1], abs=0.001)


def test_a_sound_that_is_gone_or_broken_costs_no_film(tmp_path: Path) -> None:
    song = clicking(tmp_path / "song.mp3", "-c:a", "libmp3lame", pictures=False)
    text = f"audio: {song}\nsize: 64x48\nfps: 25\nduration: 20f\nstages: [{{stage: noise}}]"
    options = Options(should_stop=lambda: len(seen) == 10, on_frame=lambda frame, _: seen.append(frame.index))
    seen: list[int] = []
    render(parse_preset(text, name="film"), tmp_path / "run", options=options)
    song.write_bytes(b"no song any more")
    notes: list[str] = []
    film, frames = assemble(tmp_path / "run", on_message=notes.append)
    assert frames == count_frames(film) == 10 and sounds(film) == []
    assert len(notes) == 1 and "song.mp3" in notes[0]
    with pytest.raises(RunError, match=r"audio: .*song.mp3 does not hold what it held"):
        resume(tmp_path / "run")
    result = resume(tmp_path / "run", moved={"audio": "none"})
    assert result.finished and count_frames(film) == 20 and sounds(film) == []


def test_a_sound_that_breaks_while_the_film_is_rendered_costs_no_film(tmp_path: Path) -> None:
    song = clicking(tmp_path / "song.mp3", "-c:a", "libmp3lame", pictures=False)
    text = f"audio: {song}\nsize: 64x48\nfps: 25\nduration: 3f\nstages: [{{stage: noise}}]"
    options = Options(on_frame=lambda frame, _: song.unlink(missing_ok=True))
    result = render(parse_preset(text, name="film"), tmp_path / "run", options=options)
    assert result.finished and count_frames(result.path) == 3 and sounds(result.path) == []
    assert any("the film is silent" in note and "song.mp3" in note for note in result.notes)


def test_a_film_that_has_its_sound_does_not_lose_it(tmp_path: Path) -> None:
    song = clicking(tmp_path / "song.mp3", "-c:a", "libmp3lame", pictures=False)
    text = f"audio: {song}\nsize: 64x48\nfps: 25\nduration: 10f\nstages: [{{stage: noise}}]"
    result = render(parse_preset(text, name="film"), tmp_path / "run")
    whole = result.path.read_bytes()
    song.unlink()
    notes: list[str] = []
    assemble(tmp_path / "run", on_message=notes.append)
    assert result.path.read_bytes() == whole
    assert len(notes) == 1 and "stays as it was" in notes[0] and "song.mp3" in notes[0]


def test_assemble_takes_another_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, song = clicking(tmp_path / "clip.mkv", *AAC), clicking(tmp_path / "song.flac", pictures=False)
    film = render(parse_preset(over(clip, "duration: 30f")), tmp_path / "run").path
    with_sound = film.read_bytes()
    monkeypatch.chdir(tmp_path)

    def assembled(*audio: str) -> list[str]:
        done = CliRunner().invoke(app, ["assemble", "run", *audio])
        assert done.exit_code == 0, done.output
        return sounds(film)

    assert assembled("--audio", "none") == []
    assert assembled("--audio", song.name) == ["aac"]
    with av.open(str(film)) as container:
        assert "song.flac" in container.metadata["comment"]
    for audio in (("--audio", "source"), ()):
        assert assembled(*audio) == ["aac"] and film.read_bytes() == with_sound
    (tmp_path / "text.wav").write_text("no sound")
    for name in ("gone.wav", "text.wav"):
        with pytest.raises(RunError, match=rf"--audio {name}: .*(no such file|can't read)"):
            assemble(tmp_path / "run", name)
    assert film.read_bytes() == with_sound


def test_broken_pieces_are_no_matter_of_sound(tmp_path: Path) -> None:
    song = clicking(tmp_path / "song.wav", pictures=False)
    (tmp_path / "piece.mp4").write_bytes(b"no film")
    with pytest.raises(MediaError, match=r"piece.mp4 can't be read back"):
        join([tmp_path / "piece.mp4"], tmp_path / "film.mp4", Fraction(25), "", Soundtrack(song))
    assert not (tmp_path / "film.mp4").exists()


def test_check_render_and_resume_say_the_same_of_a_sound_that_nothing_decodes(tmp_path: Path) -> None:
    preset = tmp_path / "film.yaml"
    preset.write_text(over(phone(tmp_path / "phone.mov", 2), "duration: 3f"))
    told = []
    run = str(tmp_path / "run")
    for command in (["check", str(preset)], ["render", str(preset), "--out", run], ["resume", run]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        text = " ".join(done.output.split())
        assert text.count("note: the film will be silent: the sound of") == 1
        told.append(text.partition("the film will be silent: ")[2].partition("give another, or none")[0])
    assert len(set(told)) == 1 and "phone.mov can't be decoded" in told[0]
