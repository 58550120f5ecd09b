"""A branch: a run that has another's frames up to one of them, and goes on from there by a changed preset."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline import checkpoint
from pipeline.chain import settled_from
from pipeline.errors import RunError, shell_word
from pipeline.media.ffmpeg import ffmpeg_program
from pipeline.outputs import Output
from pipeline.preset import Preset
from pipeline.preset.overrides import Overrides, as_overrides
from pipeline.run.ancestry import Ancestry
from pipeline.run.branched import branched
from pipeline.run.facts import Facts
from pipeline.run.folder import RunFolder
from pipeline.run.inputs import as_facts, fingerprints
from pipeline.run.log import RunLog, frame_records
from pipeline.run.options import OnFrame, Options, Result
from pipeline.run.recovery import load_whole, saved_states
from pipeline.run.session import resume
from pipeline.run.shot_presets import shots_of
from pipeline.run.shots import read_begun
from pipeline.times import Time, first_frame, parse_instant


def branch(
    run: str | Path,
    at: str,
    changes: Overrides = (),
    out: str | Path | None = None,
    on_frame: OnFrame | None = None,
    *,
    outputs: Output | Sequence[Output] = (),
    duration: str | None = None,
    options: Options | None = None,
) -> Result:
    """Render a branch of the run in `run`: its frames up to `at` (12s, 288f, 16b), and others from there on.

    `changes` are values for keys of the stages, as `load_preset` takes overrides; in a film of scenes, of those of
    scenes that are not over by then. The branch lies in a folder of its
    own, by default beside the run's, and is resumed like any other. Whatever frames it has by the time it begins are
    shared with the run, on the disk too, and stay when that is deleted; the run is only read, and may be rendering.
    Rendered from nothing, the branch's preset gives the same bytes.

    Raises RunError where there is no such frame yet, PresetError for changes that can't be, and what `resume` raises.
    """
    ffmpeg_program()
    options = Options() if options is None else options
    folder = begin_branch(run, at, changes, out, duration, options.on_message)
    return resume(folder.path, on_frame, outputs=outputs, options=options)


def begin_branch(
    run: str | Path,
    at: str,
    changes: Overrides = (),
    out: str | Path | None = None,
    duration: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> RunFolder:
    """Make the folder of a branch, which `resume` goes on with. Raises as `branch` does."""
    parent = RunFolder(run)
    preset = parent.load_preset()
    text = parent.preset_file.read_bytes()
    overrides = as_overrides(changes)
    instant = _instant(at, preset)
    _require_one_run(parent, preset, instant)
    frame = _frame(parent, preset, instant)
    made = settled_from(branched(preset, str(parent.preset_file), instant, overrides, duration), frame)
    folder = RunFolder(_free_folder(parent, instant) if out is None else out)
    ancestry = Ancestry(str(parent.path.absolute()), instant.text, frame, {each.key: each.value for each in overrides})
    with folder.locked():
        if folder.holds_run():
            raise RunError(f"{folder.path} holds a run already; {folder.resume_hint}, or branch elsewhere with --out")
        folder.require_free(made)
        folder.create(made, parent.origin())
        begun = _Beginning(parent, preset, folder, made).share(frame, say)
        if parent.preset_file.read_bytes() != text:
            folder.clear()
            raise RunError(f"{parent.path} was begun anew meanwhile; branch it again")
        ancestry.write(folder.branch_file)
        _begin_log(parent, folder, begun, dataclasses.asdict(ancestry))
    return folder


def _instant(at: str, preset: Preset) -> Time:
    try:
        return parse_instant(at, preset.signals)
    except ValueError as error:
        raise RunError(f"--at {at}: {error}") from None


def _require_one_run(parent: RunFolder, preset: Preset, instant: Time) -> None:
    """Raises RunError for a film of shots, naming the shot that has the frame."""
    if preset.cut_into_shots:
        frame = first_frame(instant, preset.fps)
        shots = shots_of(preset, max(frame + 1, read_begun(parent).frames))
        shot = next(each for each in shots if frame < each.first + each.frames)
        run = shell_word(str(parent.shot(shot.number).path))
        raise RunError(
            f"{parent.path} is a film of shots, each a run of its own; branch the one with that moment: "
            f"dreamreel branch {run} --at {frame - shot.first}f"
        )


def _frame(parent: RunFolder, preset: Preset, instant: Time) -> int:
    """The first frame that the branch has for itself. Raises RunError saying what there is."""
    frame, fps = first_frame(instant, preset.fps), preset.fps
    total, there = preset.duration.to_frames(fps), parent.pieces(preset).frames()
    if total is not None and frame >= total:
        end = f"its film ends at {float(total / fps):g}s, after frame {total - 1}"
        raise RunError(f"--at {instant}: {parent.path} has no frame {frame}; {end}")
    if frame > there:
        so_far = f"{there} frames so far, which is up to {float(there / fps):.2f}s"
        raise RunError(
            f"--at {instant}: frame {frame} of {parent.path} is not rendered yet; it has {so_far}: branch there, or "
            f"{parent.resume_hint}"
        )
    return frame


def _free_folder(parent: RunFolder, instant: Time) -> Path:
    """Beside the parent's folder, a name that is free."""
    number, name = 1, f"{parent.path.absolute().name}-at-{instant}"
    while (path := parent.path.with_name(name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return path


def _begin_log(parent: RunFolder, folder: RunFolder, frames: int, ancestry: dict[str, object]) -> None:
    """The figures of the frames that are shared stand in the branch's log too."""
    log = RunLog(folder.log_file)
    log.event("begin", branch_of=ancestry)
    for index, facts in sorted(frame_records(parent.log_file).items()):
        if index < frames:
            log.frame(index, {key: value for key, value in facts.items() if key != "frame"})
    log.close()


class _Beginning:
    """What a branch begins with, out of its parent's folder, which is only read."""

    def __init__(self, parent: RunFolder, preset: Preset, folder: RunFolder, branched: Preset) -> None:
        self._parent, self._preset, self._folder, self._branched = parent, preset, folder, branched
        self._pieces = folder.pieces(branched)

    def share(self, frame: int, say: Callable[[str], None]) -> int:
        """Share the newest state up to `frame`, with all before it; returns how many frames that are, 0 without one.

        Without a state the branch is rendered from its first frame. What is damaged or goes meanwhile is passed over.
        """
        for saved, states in self._states(frame):
            try:
                self._take(saved, states)
            except (ValueError, FileNotFoundError):
                continue
            if saved < frame:
                say(f"from the state at frame {saved}: {frame - saved} frames up to the branch are rendered again")
            return max(0, saved)
        if frame > 0:
            say(f"no state before frame {frame} is left in {self._parent.path}: the branch is rendered from the first")
        return 0

    def _states(self, frame: int) -> list[tuple[int, Path]]:
        return [(saved, states) for saved, states in saved_states(self._parent) if saved <= frame]

    def _take(self, frame: int, states: Path) -> None:
        """Raises ValueError for a state that is damaged or lacks frames."""
        with self._folder.writing():
            self._pieces.share(self._parent.segments, frame)
        found = load_whole(self._parent, self._preset, frame, states, self._pieces)
        with self._folder.writing():
            for kept in checkpoint.frames_kept(self._parent.kept):
                if kept <= frame:
                    self._keep(kept)
            checkpoint.keep(states, frame, self._folder.state, self._facts(found.facts))

    def _keep(self, frame: int) -> None:
        """A state that a branch of the branch may begin with."""
        try:
            facts = load_whole(self._parent, self._preset, frame, self._parent.kept, self._pieces).facts
            checkpoint.keep(self._parent.kept, frame, self._folder.kept, self._facts(facts))
        except ValueError:
            return

    def _facts(self, facts: Facts) -> dict[str, object]:
        """The facts of a state of the parent's as one of the branch's; files are as they were for the parent."""
        known = {each.text: key for key, each in self._preset.inputs().items() if key in facts.inputs}
        inputs = as_facts(fingerprints(self._branched, lambda text: None), None)
        for key, each in self._branched.inputs().items():
            if each.text in known:
                inputs[key] = facts.inputs[known[each.text]]
        changed = {"preset": self._branched.resolved(), "inputs": {k: v.model_dump() for k, v in inputs.items()}}
        return {**facts.model_dump(), **changed, "seconds": 0.0}
