"""Going on: which checkpoint can be used, whether the run is still the same, and what to clear away."""

from __future__ import annotations

from typing import Any

from pipeline import checkpoint
from pipeline.checkpoint import Checkpoint
from pipeline.curves import curves_of
from pipeline.disk import ABSENT, PARTIAL, digest_of
from pipeline.errors import MediaError, RunError, shell_word
from pipeline.media.joining import count_frames
from pipeline.preset import Preset
from pipeline.run.folder import RunFolder, changed_keys
from pipeline.units import parse_duration


def find_checkpoint(folder: RunFolder, preset: Preset, segment_length: int) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint whose state and frames are all there, and a line for each newer one that is not.

    None when the run was killed before its first checkpoint. Raises RunError when there are checkpoints and none
    can be used: starting again is for the user to decide.
    """
    damaged: list[str] = []
    frames = checkpoint.frames_kept(folder.state)
    for frame in reversed(frames):
        try:
            found = checkpoint.load(folder.state, frame)
            verify_frames(folder, found, preset, segment_length)
            return found, damaged
        except ValueError as error:
            damaged.append(f"the checkpoint at frame {frame} can't be used: {error}")
    if damaged:
        raise RunError(
            "\n".join(damaged)
            + f"\nno checkpoint of {folder.path} is left; `dreamreel assemble {shell_word(str(folder.path))}` keeps "
            "the film so far, `dreamreel render --overwrite` begins again"
        )
    return None, []


def verify_frames(folder: RunFolder, found: Checkpoint, preset: Preset, length: int) -> None:
    """Every frame the checkpoint counts lies in a whole segment or an undamaged spool. Raises ValueError."""
    frame_bytes = preset.size.height * preset.size.width * 3
    for number in range(-(-found.frame // length)):
        frames = min(length, found.frame - number * length)
        if frames == length and _segment_is_whole(folder, number, length):
            continue
        spool, digest = folder.spool(number), found.facts["spools"].get(str(number))
        wanted = frames * frame_bytes
        if not spool.exists() or spool.stat().st_size < wanted:
            raise ValueError(f"segment {number} and its spooled frames are gone")
        # A whole segment that was damaged later has no digest of its spool noted, an open one always has.
        if (digest is None and frames < length) or (digest is not None and digest_of(spool, wanted) != digest):
            raise ValueError(f"the spooled frames of segment {number} are damaged")


def _segment_is_whole(folder: RunFolder, number: int, frames: int) -> bool:
    try:
        return folder.segment(number).exists() and count_frames(folder.segment(number)) == frames
    except MediaError:
        return False


def require_same_run(found: Checkpoint, preset: Preset, fingerprints: dict[str, str]) -> None:
    """The preset and the files it names are those the run was begun with. Raises RunError naming what is not."""
    old, new = dict(found.facts["preset"]), preset.resolved()
    if old.pop("duration") != new.pop("duration"):
        require_same_curves(found, preset)
    old.pop("audio"), new.pop("audio")  # it touches no frame
    changes = changed_keys(old, new)
    # A picture that only the first frame needed may be gone.
    there = {name: digest for name, digest in fingerprints.items() if digest != ABSENT}
    changes += changed_keys({name: found.facts["fingerprints"].get(name) for name in there}, there)
    if changes:
        listed = "\n  ".join(changes)
        raise RunError(
            f"the run was begun with other settings:\n  {listed}\n"
            "put them back to go on, or render into another folder with --out"
        )


def require_same_curves(found: Checkpoint, preset: Preset) -> None:
    """No curve takes another way because the film gets another length. Raises RunError naming those that do."""
    before = parse_duration(found.facts["preset"]["duration"]).to_frames(preset.fps)
    if before == preset.duration.to_frames(preset.fps):
        return
    keys = [
        f"{stage.id}.{key}"
        for stage in preset.stages
        for key, _, curve, _ in curves_of(stage)
        if curve.depends_on_length(before, preset.fps)
    ]
    keys += [stage.id for stage in preset.stages if stage.closes]
    if keys:
        raise RunError(
            f"{', '.join(dict.fromkeys(keys))} follows the film's length (n, p, max_f, or a loop that closes), so a "
            "film of another length is another film from its first frame on; keep the duration, or render it into "
            "another folder with --out"
        )


def environment_warnings(found: Checkpoint, now: dict[str, str]) -> list[str]:
    """A line for everything of the machine or its software that is not as it was."""
    then: dict[str, Any] = found.facts["environment"]
    return [f"{change}: the bytes may differ from here on" for change in changed_keys(then, dict(now))]


def clear_past(folder: RunFolder, preset: Preset, frame: int, segment_length: int, frame_bytes: int) -> list[int]:
    """Drop everything past `frame`, and what was left half-written; returns the segments still to be encoded."""
    checkpoint.drop_after(folder.state, frame)
    number_open, frames_open = divmod(frame, segment_length)
    for path in folder.segments.iterdir():
        if PARTIAL in path.name or not path.stem.isdigit() or int(path.stem) > number_open:
            path.unlink()
    for path in folder.leftovers(preset):
        path.unlink()
    folder.segment(number_open).unlink(missing_ok=True)
    spool = folder.spool(number_open)
    if spool.exists():
        with spool.open("r+b") as file:
            file.truncate(frames_open * frame_bytes)
    return [n for n in range(number_open) if not _segment_is_whole(folder, n, segment_length)]
