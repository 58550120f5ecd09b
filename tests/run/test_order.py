"""Power safety: what is written, synced and put in place, and in which order.

The disk's calls are recorded as they are made. A rename before its file was synced, or a checkpoint before what it
counts, would lose a film when the power goes, and nothing else in these tests would notice.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

import pipeline
from pipeline.run import Options
from tests.run.quick import quick, stop_after


@dataclass(frozen=True)
class Call:
    """`sync` of a file or a folder, `replace` of a path, or `remove`, with what the file held then."""

    kind: str
    path: Path
    digest: str = ""
    source: Path | None = None


def content(path: Path) -> str:
    return "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()


class Disk:
    """Records the calls that decide what is left when the power goes."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[Call] = []
        self._fsync, self._replace, self._unlink, self._rename = os.fsync, os.replace, os.unlink, os.rename
        patch.setattr(os, "fsync", self.fsync)
        patch.setattr(os, "replace", self.replace)
        patch.setattr(os, "unlink", self.unlink)
        patch.setattr(os, "rename", self.rename)

    def fsync(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        self.calls.append(Call("sync", path, content(path)))
        self._fsync(descriptor)

    def replace(self, source: str | Path, target: str | Path) -> None:
        self.calls.append(Call("replace", Path(target), content(Path(source)), Path(source)))
        self._replace(source, target)

    def unlink(self, path: str | Path, *, dir_fd: int | None = None) -> None:
        self.calls.append(Call("remove", Path(path)))
        self._unlink(path, dir_fd=dir_fd)

    def rename(self, source: str | Path, target: str | Path) -> None:
        self.calls.append(Call("remove", Path(source)))  # what is taken away is renamed first
        self._rename(source, target)

    def places(self, name: str) -> list[int]:
        """Where in the calls a file of this name is put in place."""
        return [n for n, call in enumerate(self.calls) if call.kind == "replace" and call.path.match(name)]

    def require_safe(self, number: int) -> None:
        """What call `number` puts in place was synced as it is, and its name is synced before anything counts it."""
        call = self.calls[number]
        before = [c for c in self.calls[:number] if c.kind == "sync" and c.path == call.source]
        assert before and before[-1].digest == call.digest, f"{call.path.name} is put in place before it is synced"
        assert self.synced(call.path.parent, number) < self.next_record(number, call.path), call.path.name

    def synced(self, path: Path, since: int) -> int:
        """The first call after `since` that syncs a path; past all when none does."""
        after = range(since + 1, len(self.calls))
        return next((n for n in after if self.calls[n].kind == "sync" and self.calls[n].path == path), 10**9)

    def next_record(self, number: int, path: Path) -> int:
        """The next checkpoint's record after call `number`, which may count what that put in place."""
        return next((n for n in self.places("state/*.json") if n > number and self.calls[n].path != path), 10**8)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Disk]:
    disk = Disk(monkeypatch)
    preset = quick(tmp_path)
    folder = tmp_path / "new" / "run"
    pipeline.render(preset, folder, options=stop_after(10))
    pipeline.resume(folder, options=Options(checkpoint_seconds=0.0))
    return folder.resolve(), disk


def test_whatever_is_put_in_place_was_synced_before_and_its_folder_after(run: tuple[Path, Disk]) -> None:
    disk = run[1]
    wanted = ("preset.yaml", "quick.mp4", "segments/000000.mp4", "segments/000001.mp4", "segments/000002.mp4")
    for name in (*wanted, "state/000000010.json", "state/000000021.safetensors"):
        assert disk.places(f"run/{name}"), name
    for number, call in enumerate(disk.calls):
        if call.kind == "replace" and call.path.suffix != ".png":
            disk.require_safe(number)


def test_new_folders_are_synced_into_those_above(run: tuple[Path, Disk]) -> None:
    folder, disk = run
    begun = disk.places("run/preset.yaml")[0]
    early = {call.path for call in disk.calls[:begun] if call.kind == "sync"}
    assert {folder.parent.parent, folder.parent, folder} <= early


def test_a_checkpoint_comes_after_all_that_it_counts(run: tuple[Path, Disk]) -> None:
    folder, disk = run
    frames = []
    for number in disk.places("state/*.json"):
        frame = int(disk.calls[number].path.stem)
        frames.append(frame)
        tensors = disk.places(f"state/{frame:09d}.safetensors")
        assert tensors and disk.synced(folder / "state", tensors[0]) < number
        for segment in range(frame // 8):
            whole = [n for n in disk.places(f"segments/{segment:06d}.mp4") if n < number]
            spool = [
                n for n, c in enumerate(disk.calls[:number]) if c.kind == "sync" and c.path.stem == f"{segment:06d}"
            ]
            assert (whole and disk.synced(folder / "segments", whole[-1]) < number) or spool
        if frame % 8:
            spool_file = folder / f"segments/{frame // 8:06d}.rgb24"
            last = max(n for n, c in enumerate(disk.calls[:number]) if c.kind == "sync" and c.path == spool_file)
            before = max((n for n in disk.places("state/*.json") if n < number), default=-1)
            assert last > before, f"the frames up to {frame} are synced anew for their checkpoint"
    assert frames == sorted(frames) and frames[-1] == 21


def test_a_spool_goes_when_its_segment_and_two_checkpoints_past_it_are_safe(run: tuple[Path, Disk]) -> None:
    folder, disk = run
    gone = {n: c.path for n, c in enumerate(disk.calls) if c.kind == "remove" and c.path.suffix == ".rgb24"}
    gone = {number: path for number, path in gone.items() if path.stem.isdecimal()}
    assert gone
    for number, path in gone.items():
        segment = int(path.stem)
        placed = disk.places(f"segments/{segment:06d}.mp4")[0]
        assert disk.synced(folder / "segments", placed) < number
        past = {disk.calls[n].path for n in disk.places("state/*.json") if n < number}
        assert sum(int(path.stem) >= 8 * (segment + 1) for path in past) >= 2


def test_the_film_comes_after_the_last_segment_and_is_synced(run: tuple[Path, Disk]) -> None:
    folder, disk = run
    (film,) = disk.places("run/quick.mp4")
    assert disk.places("segments/000002.mp4")[0] < film
    assert disk.synced(folder, film) < 10**9


def test_without_syncing_this_would_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pipeline.disk

    disk = Disk(monkeypatch)
    monkeypatch.setattr(pipeline.disk, "sync", lambda path: None)
    pipeline.render(quick(tmp_path), tmp_path / "run", options=stop_after(3))
    with pytest.raises(AssertionError, match="before it is synced"):
        disk.require_safe(disk.places("state/*.json")[0])


def test_a_record_names_the_spools_that_were_synced_where_there_is_no_segment(
    run: tuple[Path, Disk],
) -> None:
    folder, disk = run
    placed = disk.places("state/000000021.json")[-1]
    spools = json.loads((folder / "state/000000021.json").read_text())["facts"]["spools"]
    for piece in range(3):
        stem = f"segments/{piece:06d}"
        synced = disk.synced(folder / f"{stem}.rgb24", -1) < placed
        whole = any(disk.synced(folder / "segments", n) < placed for n in disk.places(f"{stem}.mp4"))
        assert synced if str(piece) in spools else whole, piece
