"""Films and stills that say they are spheres, in the words of those who read it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import av
import pytest
import torch
from PIL import Image

from pipeline.errors import MediaError
from pipeline.frame import Size
from pipeline.media.ffmpeg import ffmpeg_program
from pipeline.media.joining import join
from pipeline.media.picture import read_picture
from pipeline.media.sound import Soundtrack
from pipeline.media.spherical import mark_film
from pipeline.media.still import WRITABLE, Still, write_still
from pipeline.ops.noise import around
from tests.clips import counter, ffmpeg

RDF, GPANO = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}", "{http://ns.google.com/photos/1.0/panorama/}"


def sphere_sides(film: Path) -> list[set[str]]:
    """What is said beside each picture of a film."""
    with av.open(str(film)) as container:
        return [{side.type.name for side in frame.side_data} for frame in container.decode(video=0)]


def packets(film: Path) -> Iterator[bytes]:
    with av.open(str(film)) as container:
        yield from (bytes(packet) for packet in container.demux() if packet.size > 0)


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    return counter(tmp_path / "piece.mp4", 12, size="128x64")


def test_players_are_told_and_nothing_else_changes(tmp_path: Path, piece: Path) -> None:
    sound = tmp_path / "beep.m4a"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", sound)
    flat, sphere = tmp_path / "flat.mp4", tmp_path / "sphere.mp4"
    for film in (flat, sphere):
        join([piece, piece], film, Fraction(25), "a comment", Soundtrack(sound), on_sphere=film is sphere)
    assert all("SPHERICAL" in sides for sides in sphere_sides(sphere))
    assert not any("SPHERICAL" in sides for sides in sphere_sides(flat))
    assert list(packets(sphere)) == list(packets(flat))
    with av.open(str(sphere)) as container:
        assert container.metadata["comment"] == "a comment" and container.streams.audio
    said = subprocess.run([ffmpeg_program(), "-i", str(sphere)], capture_output=True, text=True).stderr
    assert re.search("Spherical Mapping: equirectangular", said) and "Stereo 3D: 2D" in said
    # The index still stands first, so that a film plays while it comes.
    assert sphere.read_bytes().index(b"moov") < sphere.read_bytes().index(b"mdat")


@pytest.mark.parametrize("version", ["1", "2"])
def test_who_knows_one_version_only_is_told_too(tmp_path: Path, piece: Path, version: str) -> None:
    film = tmp_path / "film.mp4"
    join([piece], film, Fraction(25), "", on_sphere=True)
    # A box whose kind nobody knows is passed over.
    unknown = {"1": b"sv3d", "2": b"uuid"}[version]
    data = film.read_bytes()
    assert data.count(unknown) == 1
    film.write_bytes(data.replace(unknown, b"free"))
    assert all("SPHERICAL" in sides for sides in sphere_sides(film))


def test_a_film_whose_index_stands_last_is_marked_too(tmp_path: Path, piece: Path) -> None:
    film = tmp_path / "last.mp4"
    ffmpeg("-i", piece, "-c", "copy", film)
    assert film.read_bytes().index(b"mdat") < film.read_bytes().index(b"moov")
    before = list(packets(film))
    mark_film(film)
    assert list(packets(film)) == before and all("SPHERICAL" in sides for sides in sphere_sides(film))


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "prores_ks"])
def test_films_of_other_codecs_are_marked_too(tmp_path: Path, piece: Path, codec: str) -> None:
    film = tmp_path / ("film.mov" if codec == "prores_ks" else "film.mp4")
    ffmpeg("-i", piece, "-c:v", codec, "-movflags", "+faststart", film)
    before = list(packets(film))
    mark_film(film)
    assert list(packets(film)) == before and all("SPHERICAL" in sides for sides in sphere_sides(film))


@pytest.mark.parametrize("data", [b"", b"no film at all", b"\0\0\0\1mdat\0\0\0\0", b"\0\0\0\x08moov\0\0\0\x08mdat"])
def test_what_is_no_film_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    with pytest.raises(MediaError, match="can't be marked"):
        mark_film(path)


@pytest.mark.parametrize(("suffix", "deep"), [*((s, False) for s in WRITABLE), (".png", True), (".tif", True)])
def test_stills_carry_photo_sphere_metadata(tmp_path: Path, suffix: str, deep: bool) -> None:
    frame = around(Size(8, 16), 0.1, 2.0, torch.Generator().manual_seed(0))
    path = tmp_path / f"still{suffix}"
    write_still(frame, path, Still(frame, Image.Exif(), None, deep, on_sphere=True), deep)
    with Image.open(path) as image:
        xmp = image.info["xmp"]
    (said,) = ElementTree.fromstring(xmp).iter(f"{RDF}Description")
    assert (said.get(f"{GPANO}ProjectionType"), said.get(f"{GPANO}FullPanoWidthPixels")) == ("equirectangular", "16")
    assert float((read_picture(path) - frame).abs().mean()) < 0.05
