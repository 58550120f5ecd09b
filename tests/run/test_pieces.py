"""The pieces of a film on disk: which frames are in them, what is safe, and what a step back leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.disk import digest_of
from pipeline.media.joining import count_frames
from pipeline.preset import Preset
from pipeline.run.piece_files import Piece
from pipeline.run.pieces import ClosedMeanwhile, Pieces, SegmentMissing
from tests.run.quick import quick


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path)  # 64x48 at 4 fps: eight frames a piece


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "segments").mkdir()
    return tmp_path / "segments"


def pixels(index: int) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), 10 * index, np.uint8)


def written(folder: Path, preset: Preset, frames: int) -> Pieces:
    pieces = Pieces(folder, preset)
    for index in range(frames):
        if (full := pieces.append(index, pixels(index))) is not None:
            pieces.encode(full)
    return pieces


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_frames_fill_one_piece_after_the_other(folder: Path, preset: Preset) -> None:
    pieces = Pieces(folder, preset)
    full = [pieces.append(index, pixels(index)) for index in range(19)]
    assert [piece for piece in full if piece] == [Piece(0, 8), Piece(1, 8)]
    assert pieces.last(19) == Piece(2, 3) and pieces.last(16) is None
    pieces.close()
    assert (folder / "000002.rgb24").read_bytes() == b"".join(pixels(index).tobytes() for index in (16, 17, 18))
    assert [path.name for path in pieces.films(17, pieces.renditions[0])] == ["000000.mp4", "000001.mp4", "000002.mp4"]


def test_what_is_secured_is_verified_and_damage_is_seen(folder: Path, preset: Preset) -> None:
    pieces = written(folder, preset, 12)
    digests = pieces.secure(12)
    assert list(digests) == ["1"]  # a segment stands for the first piece
    pieces.verify(12, digests)
    pieces.append(12, pixels(12))
    pieces.close()
    pieces.verify(12, digests)  # frames past those that are counted don't matter
    with pytest.raises(ValueError, match="segment 1 are damaged"):
        pieces.verify(13, digests)
    (folder / "000000.mp4").unlink()
    pieces.verify(12, digests)  # its spool is still there
    (folder / "000000.rgb24").unlink()
    with pytest.raises(ValueError, match="segment 0 and its spooled frames are gone"):
        pieces.verify(12, digests)


def test_a_spool_that_grew_or_was_cut_is_secured_as_it_is(folder: Path, preset: Preset) -> None:
    pieces, spool = Pieces(folder, preset), folder / "000000.rgb24"
    for index in range(5):
        pieces.append(index, pixels(index))
        assert pieces.secure(index + 1) == {"0": digest_of(spool)}
    pieces.close()
    pieces.rewind(2)
    assert pieces.secure(2) == {"0": digest_of(spool)} and spool.stat().st_size == 2 * pixels(0).nbytes
    pieces.append(2, pixels(7))
    assert pieces.secure(3) == {"0": digest_of(spool)}
    pieces.close()


def test_spools_go_when_their_segments_are_there(folder: Path, preset: Preset) -> None:
    pieces = written(folder, preset, 17)
    pieces.drop(15)
    assert "000000.rgb24" not in names(folder) and {"000001.rgb24", "000002.rgb24"} <= set(names(folder))
    (folder / "000001.mp4").unlink()
    pieces.drop(16)
    assert "000001.rgb24" in names(folder)
    pieces.close()


def test_a_step_back_keeps_what_is_counted_and_strangers_files(folder: Path, preset: Preset) -> None:
    written(folder, preset, 18).close()
    (folder / "mine.mp4").write_text("a stranger's")
    (folder / "000001.part-7.mp4").write_text("half")
    (folder / "000000.mp4").write_text("damaged")
    Pieces(folder, preset).rewind(11)
    assert names(folder) == ["000000.mp4", "000000.rgb24", "000001.rgb24", "mine.mp4"]
    assert count_frames(folder / "000000.mp4") == 8
    assert (folder / "000001.rgb24").stat().st_size == 3 * 64 * 48 * 3


def test_all_there_are_can_be_joined_meanwhile(folder: Path, preset: Preset) -> None:
    pieces = written(folder, preset, 11)
    pieces.close()
    with pieces.so_far() as ([films], frames):
        assert frames == 11 and [count_frames(film) for film in films] == [8, 3]
    assert not films[-1].exists() and pieces.closed() == 1
    with pytest.raises(ClosedMeanwhile), pieces.so_far():
        (folder / "000001.rgb24").unlink()
        raise FileNotFoundError
    with pytest.raises(FileNotFoundError), pieces.so_far():
        raise FileNotFoundError
    (folder / "000000.mp4").rename(folder / "000003.mp4")
    with pytest.raises(SegmentMissing), pieces.so_far():
        pass
