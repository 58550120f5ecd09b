"""Dreams over stills: which files, where they go, and the dream itself at each picture's own size."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.device import out_of_memory_said
from pipeline.dreamer import Dreamer
from pipeline.errors import MediaError, PresetError, Problem, mishap, parse_path, shortened
from pipeline.frame import NOT_A_SPHERE, Projection, Size, size_of
from pipeline.media.paths import expand
from pipeline.media.still import READABLE, WRITABLE, Still, read_still
from pipeline.ops.pyramid import octave_sizes
from pipeline.preset.boundary import validated
from pipeline.preset.yaml12 import Document
from pipeline.prints import Print, draw_print, seen_size
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.dream import Dream, DreamConfig
from pipeline.visualise import Visualisation, visualise

_MARK = "-dream"
_COARSEST = 128  # pixels of the shorter side: smaller octaves add only blobs
_MOST_OCTAVES = 12
_AMPLE = Size(4096, 4096)
_MOST_PICTURES = 100_000


@dataclass(frozen=True)
class Job:
    """One picture to dream on, and the file that the dream goes to."""

    source: Path
    target: Path


def plan(inputs: Sequence[str], out: Path | None, overwrite: bool) -> list[Job]:
    """What is to be done for files, folders and patterns; nothing is dreamt before all of it is known to fit.

    Without `out` a dream lies beside its picture, as NAME-dream.SUFFIX. Raises MediaError for a name without
    pictures, for two pictures with one target, and for targets that exist, unless `overwrite` is set.
    """
    sources = find_pictures(inputs)
    single = len(sources) == 1 and out is not None and out.suffix.lower() in WRITABLE and not out.is_dir()
    if out is not None and not single and out.suffix.lower() in WRITABLE and len(sources) > 1:
        raise MediaError(f"{out} is one file, and there are {len(sources)} pictures; give a folder")
    jobs = [Job(source, out if single and out is not None else _target(source, out)) for source in sources]
    _refuse_clashes(jobs, overwrite)
    return jobs


def find_pictures(inputs: Sequence[str]) -> list[Path]:
    """The pictures that files, folders and patterns name, each once. Raises MediaError for a name without pictures."""
    return list(dict.fromkeys(path for text in inputs for path in _expand(text)))


def _expand(text: str) -> Iterator[Path]:
    path = _looked_up(text)
    if path.exists() and not path.is_dir():
        yield path  # what is no regular file is refused when it is read, like any other that is no picture
        return
    try:
        listed = (each for each in path.iterdir() if each.name[0] != ".") if path.is_dir() else _matching(path)
        found = sorted(islice(filter(Path.is_file, listed), _MOST_PICTURES + 1))
    except OSError as error:
        raise MediaError(f"{text}: can't be listed: {error.strerror}; give a picture, a folder or a pattern") from None
    if len(found) > _MOST_PICTURES:
        raise MediaError(f"{text}: names more than {_MOST_PICTURES} files; name fewer at a time")
    pictures = [each for each in found if each.suffix.lower() in READABLE and not each.stem.endswith(_MARK)]
    if not pictures:
        what = "no pictures" if found or path.is_dir() else "no such file, and no file matches it"
        raise MediaError(f"{text}: {what}; pictures end in {', '.join(READABLE)}")
    yield from pictures


def _matching(path: Path) -> Iterator[Path]:
    return map(Path, glob.iglob(str(path), recursive=True))


def _looked_up(text: str) -> Path:
    try:
        path = expand(text)
        path.exists()
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise MediaError(f"{shortened(text)}: {reason}; give a picture, a folder or a pattern") from None
    return path


def _target(source: Path, out: Path | None) -> Path:
    suffix = source.suffix if source.suffix.lower() in WRITABLE else ".png"
    if out is None:
        return source.with_name(f"{source.stem}{_MARK}{suffix}")
    return out / f"{source.stem}{suffix}"


def _refuse_clashes(jobs: list[Job], overwrite: bool) -> None:
    counts = Counter(job.target for job in jobs)
    twice = [target for target, count in counts.items() if count > 1]
    if twice:
        raise MediaError(f"{twice[0]} would be written twice; dream on pictures of one name one after the other")
    for job in jobs:
        if job.target.resolve() == job.source.resolve():
            raise MediaError(f"{job.target} is the picture itself; give another name or folder with -o")
    there = [job.target for job in jobs if job.target.exists()]
    if there and not overwrite:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise MediaError(f"{there[0]} exists already{more}; --overwrite replaces it, -o writes elsewhere")


class StillDreamer:
    """One network and one objective for any number of pictures of any size.

    `keys` are those of the preset's dream stage; `octaves` left out means as many as the picture has room for.
    Equirectangular pictures are dreamt on as the spheres they are.
    Raises PresetError for keys that are wrong.
    """

    def __init__(
        self, keys: Mapping[str, Any], seed: int, device: torch.device, projection: Projection = "flat"
    ) -> None:
        self.projection: Projection = projection
        self._config = dream_config(keys)
        # What is wrong for every picture is said before the first.
        plain = self._config.model_copy(update={"octaves": 1, "octave_weights": None})
        _refuse(plain, RunSpec(_AMPLE, Fraction(1), 1, seed, device, projection=projection))
        self._auto_octaves = "octaves" not in keys
        self._seed, self._device = seed, device
        self._stage: Dream | None = None
        self._size: Size | None = None

    def __call__(self, frame: Tensor) -> Tensor:
        """The dream (1, 3, H, W) over a picture of that size, both in [0, 1], whatever was dreamt on before.

        Raises PresetError when the picture is too small, DeviceError when there is too little memory.
        """
        size = size_of(frame)
        spec = RunSpec(size, Fraction(1), 1, self._seed, self._device, projection=self.projection)
        config = self._config.model_copy(update={"octaves": self._octaves(spec.dreamt_size)})
        _refuse(config, spec)
        if self._stage is None:
            self._stage = Dream(config, spec)
        if size != self._size:  # pictures of many sizes would fill the memory with what was planned for each
            self._stage.dreamer.engine.forget()
        self._size = size
        self._stage.config = config  # the network serves every size; only the octaves differ
        self._stage.dreamer.objective.forget()
        with torch.no_grad(), out_of_memory_said():
            return self._stage(frame.to(self._device), FrameContext(0, spec, None)).cpu()

    def _octaves(self, size: Size) -> int:
        config = self._config
        if not self._auto_octaves:
            return config.octaves
        ladder = octave_sizes(size, _MOST_OCTAVES, config.octave_scale)
        return max(1, sum(min(each) >= _COARSEST for each in ladder))


def dream_config(keys: Mapping[str, Any]) -> DreamConfig:
    """The dream's config from keys as a preset has them. Raises PresetError."""
    given, context = {"id": "dream"} | dict(keys), {"folder": Path.cwd()}
    config, problems = validated(DreamConfig, given, (), Document("", given), context)
    if config is None:
        raise PresetError(problems)
    return config


def _refuse(config: DreamConfig, spec: RunSpec) -> None:
    try:
        problems = [Problem("", parse_path(key), message) for key, message in config.problems(spec)]
    except Exception as error:
        raise PresetError([Problem("", (), mishap(error))]) from error
    if problems:
        raise PresetError(problems)


def dream_still(dreamer: StillDreamer, path: Path) -> tuple[Tensor, Still]:
    """The dream over the picture at `path`, and the picture. Raises PipelineError."""
    still = replace(read_still(path), on_sphere=dreamer.projection == "equirectangular")
    if still.on_sphere and not size_of(still.frame).is_sphere:
        raise MediaError(f"{path} is {size_of(still.frame)}; {NOT_A_SPHERE}")
    return dreamer(still.frame), still


def visualise_still(
    keys: Mapping[str, Any], size: Size, how: Visualisation | Print, seed: int, device: torch.device
) -> Tensor:
    """A picture (1, 3, H, W) out of nothing of what the dream's objective asks for. Raises PresetError, DeviceError."""
    config = out_of_nothing(keys, size, seed, device)
    spec, generator = replace(config.dreamer, memory=None, balanced=False), torch.Generator().manual_seed(seed)
    with out_of_memory_said():
        if isinstance(how, Print):
            return draw_print(Dreamer(spec, seen_size(size), device), size, how, generator).cpu()
        return visualise(Dreamer(spec, size, device), size, how, generator).cpu()


def out_of_nothing(keys: Mapping[str, Any], size: Size, seed: int, device: torch.device) -> DreamConfig:
    """The config of a picture out of nothing, known to fit. Raises PresetError."""
    config = dream_config(dict(keys) | {"octaves": 1})
    _refuse(config, RunSpec(size, Fraction(1), 1, seed, device))
    return config
