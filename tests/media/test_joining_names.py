"""Joining, whatever folders and films are called and however much a film's metadata holds."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from pipeline.errors import MediaError
from pipeline.media.joining import count_frames, join
from pipeline.media.sound import Soundtrack
from tests.clicks import clicking
from tests.clips import ffmpeg, pattern

NAMES = [
    "it's",
    'say "so"',
    "100%d%04d",
    "a\nb",
    "12:30",
    "-x",
    "a#b?c=d&e",
    "#1",
    "[0]*",
    "a\\b",
    "ü ñ 日本",
    "$HOME`x`",
    "a;b",
]


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("piece") / "piece.mp4"
    ffmpeg(*pattern(0.4), "-c:v", "libx264", "-bf", "2", "-video_track_timescale", "25", path)
    return path.read_bytes()


def pieces_in(folder: Path, piece: bytes) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number:06d}.mp4" for number in range(3)]
    for path in paths:
        path.write_bytes(piece)
    return paths


def shown_at(film: Path) -> list[Fraction]:
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return sorted(p.pts * stream.time_base for p in container.demux(stream) if p.pts is not None and p.size)


@pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"\xff\xfeo")])
def test_a_folder_may_be_called_anything(tmp_path: Path, piece: bytes, name: str) -> None:
    paths = pieces_in(tmp_path / name / "segments", piece)
    song = clicking(tmp_path / "song.wav", pictures=False).rename(tmp_path / name / f"song {name}.wav")
    film = tmp_path / name / f"film {name}.mp4"
    join(paths, film, Fraction(25), "", Soundtrack(song))
    assert shown_at(film) == [Fraction(n, 25) for n in range(30)]
    with av.open(str(film)) as container:
        assert len(container.streams.audio) == 1
    assert sorted(film.parent.iterdir()) == sorted([film, paths[0].parent, song])


COMMENTS = {
    "special characters": "a = b; c # d\\n\\\ne: 'f' \"g\" %h [i]\n\n;FFMETADATA1\n[CHAPTER]\n",
    "other alphabets": "naïve 日本 🙂 \u2028",
    "a key a frame for an hour": "zoom: {" + ", ".join(f"{n}f: {1 + n % 7 / 100:.2f}" for n in range(100_000)) + "}\n",
}


@pytest.mark.parametrize("name", COMMENTS)
def test_metadata_holds_any_preset(tmp_path: Path, piece: bytes, name: str) -> None:
    film = tmp_path / "film.mp4"
    join(pieces_in(tmp_path / "segments", piece), film, Fraction(25), COMMENTS[name])
    with av.open(str(film)) as container:
        assert container.metadata["comment"] == COMMENTS[name]
    assert count_frames(film) == 30


def test_pictures_are_copied_bit_for_bit(tmp_path: Path, piece: bytes) -> None:
    paths, film = pieces_in(tmp_path / "segments", piece), tmp_path / "film.mp4"
    join(paths, film, Fraction(25), "")
    with av.open(str(film)) as container, av.open(str(paths[0])) as one:
        copied = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        assert copied == 3 * [bytes(packet) for packet in one.demux(video=0) if packet.size]


def test_a_film_that_cannot_be_joined_stays_as_it_was(tmp_path: Path, piece: bytes) -> None:
    paths, film = pieces_in(tmp_path / "segments", piece), tmp_path / "film.mp4"
    film.write_bytes(b"before")
    paths[1].write_bytes(piece[: len(piece) // 2])
    with pytest.raises(MediaError, match=r"000001.mp4 can't be read back"):
        join(paths, film, Fraction(25), "")
    assert film.read_bytes() == b"before" and sorted(tmp_path.iterdir()) == [film, tmp_path / "segments"]
