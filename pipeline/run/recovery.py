"""Going on: which checkpoint can be used, and whether the run is still the same."""

from __future__ import annotations

from pathlib import Path

from pipeline import checkpoint
from pipeline.chain import Film
from pipeline.curves import curves_of
from pipeline.errors import RunError, shell_word
from pipeline.preset import Preset
from pipeline.run.changes import changed_keys
from pipeline.run.environment import environment
from pipeline.run.facts import Facts, Found, load_found
from pipeline.run.folder import RunFolder
from pipeline.run.inputs import masked
from pipeline.run.pieces import Pieces
from pipeline.times import Clock, parse_duration


def find_checkpoint(folder: RunFolder, preset: Preset) -> tuple[Found | None, list[str]]:
    """The newest checkpoint whose state and frames are all there, and a line for each newer one that is not.

    None when the run was killed before its first checkpoint. Raises RunError when there are checkpoints and none
    can be used: starting again is for the user to decide.
    """
    damaged: list[str] = []
    for frame, states in saved_states(folder):
        try:
            return load_whole(folder, preset, frame, states), damaged
        except ValueError as error:
            damaged.append(f"the checkpoint at frame {frame} can't be used: {error}")
    if damaged:
        place = shell_word(str(folder.path))
        raise RunError(
            "\n".join(damaged) + f"\nno checkpoint of {folder.path} is left; `dreamreel assemble {place}` keeps "
            f"the film so far, `dreamreel render {place}/preset.yaml --overwrite --out {place}` begins again"
        )
    return None, []


def saved_states(folder: RunFolder) -> list[tuple[int, Path]]:
    """The frame of every checkpoint that there is, newest first, and the folder where it lies."""
    newest, kept = checkpoint.frames_kept(folder.state), checkpoint.frames_kept(folder.kept)
    return sorted((dict.fromkeys(kept, folder.kept) | dict.fromkeys(newest, folder.state)).items(), reverse=True)


def load_whole(
    folder: RunFolder, preset: Preset, frame: int, states: Path | None = None, pieces: Pieces | None = None
) -> Found:
    """The checkpoint at `frame`, with every frame that it counts. Raises ValueError saying what is damaged.

    It lies in the folder `states`, by default among the newest, and its frames in `pieces`, by default the run's own.
    """
    found = load_found(folder.state if states is None else states, frame, preset.canvas)
    (folder.pieces(preset) if pieces is None else pieces).verify(frame, found.facts.spools)
    return found


def require_same_preset(before: Facts, preset: Preset) -> None:
    """The preset is the one the run was begun with, but for where its files are. Raises RunError naming other keys."""
    places = [each.place for key, each in preset.inputs().items() if key in before.inputs]
    old, new = masked(before.preset, places), masked(preset.resolved(), places)
    if old.pop("duration") != new.pop("duration"):
        require_same_curves(before.preset["duration"], preset)
    for data in (old, new):
        data.pop("audio", None)  # it touches no frame
        data.pop("keep", None)  # nor does this
        data.pop("plugins", None)  # their versions stand in the environment
    changes = changed_keys(old, new)
    if changes:
        listed = "\n  ".join(changes)
        raise RunError(
            f"the run was begun with other settings:\n  {listed}\n"
            "put them back to go on, or render into another folder with --out"
        )


def require_same_curves(duration: object, preset: Preset) -> None:
    """No curve takes another way for the film had another `duration`. Raises RunError naming those that do."""
    frames = parse_duration(duration).to_frames(preset.fps)
    if frames == preset.duration.to_frames(preset.fps):
        return
    clock = Clock(preset.fps, frames, preset.seed, preset.signals)
    stages = [stage for each in (preset, *preset.changed) for stage in each.chain]
    keys = [
        f"{stage.id}.{key}"
        for stage in stages
        for key, _, curve, _ in curves_of(stage)
        if curve.depends_on_length(clock)
    ]
    keys += [stage.id for stage in stages if stage.closes]
    if keys:
        raise RunError(
            f"{', '.join(dict.fromkeys(keys))} follows the film's length (n, p, max_f, keyframes past "
            "its end, or a loop that closes), so a "
            "film of another length is another film from its first frame on; keep the duration, or render it into "
            "another folder with --out"
        )


def require_same_machine(before: Facts, preset: Preset, chain: Film) -> list[str]:
    """What the run took for itself is what it gets now: engine, precision, memory, device, a network's numbers.

    Raises RunError naming what is not, since the frames from here on would be others. Returns a line for everything
    else of the machine and its software that is not as it was, and may or may not matter.
    """
    changes = changed_keys(chain.preset.resolved(), chain.pin(chain.preset).resolved())
    changes += changed_keys(before.built, chain.fingerprints())
    if changes:
        listed = "\n  ".join(changes)
        raise RunError(
            f"what the run was begun with can't be had now:\n  {listed}\n"
            "it goes on with nothing else: the frames from here on would be others. Try again when the machine is as "
            "it was then (with as much free memory, the same weights and versions), or render anew, with --out"
        )
    different = changed_keys(before.environment, environment(chain.spec.device, preset.packages().values()))
    return [f"{change}: the bytes may differ from here on" for change in different]
