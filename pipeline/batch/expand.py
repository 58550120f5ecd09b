"""From a batch to its runs: their names, and what each has that others have not."""

from __future__ import annotations

import glob
import itertools
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.batch.config import MOST_RUNS, Batch, BatchFile
from pipeline.disk import digest_of
from pipeline.errors import PresetError, format_path, parse_path
from pipeline.media.paths import expand as expand_home
from pipeline.preset.shelf import find_preset

_LONGEST = 100
_UNFIT = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Planned:
    """One run of a batch."""

    name: str
    """of its folder"""
    preset: Path
    input: Path | None
    values: Mapping[str, Any] = field(default_factory=dict)
    """what it has that others have not, by key"""

    @property
    def told(self) -> dict[str, Any]:
        """All that it differs in, for tables."""
        more = {} if self.input is None else {"input": self.input.name}
        return {"preset": self.preset.stem, **more, **self.values}


def expand(file: BatchFile) -> list[Planned]:
    """All runs, in their order: presets, inputs, `zip`, `grid`, and seeds innermost.

    Raises PresetError where a preset or an input is not there, there are too many runs, or `skip` makes no sense.
    """
    batch = file.batch
    presets, inputs = _presets(file), _inputs(file)
    rows = list(zip(*batch.zip.values(), strict=True)) if batch.zip else [()]
    axes = [*batch.grid.values(), *([batch.seeds] if batch.seeds is not None else [])]
    count = len(presets) * len(inputs) * len(rows)
    for axis in axes:
        count *= len(axis)
    if count > MOST_RUNS:
        raise PresetError([file.document.problem((), f"makes {count} runs, may make at most {MOST_RUNS}")])
    made, skipped = [], set[int]()
    for preset, given, row in itertools.product(presets, inputs, rows):
        for point in itertools.product(*axes):
            values = dict(zip(batch.varied, (*row, *point), strict=True))
            planned = Planned("", preset, given, values)
            meant = {index for index, each in enumerate(batch.skip) if _is_meant(each, planned)}
            skipped |= meant
            if not meant:
                made.append(planned)
    _require_sense(file, skipped, made)
    return list(_named(made, batch))


def _require_sense(file: BatchFile, skipped: Collection[int], made: Sequence[Planned]) -> None:
    """Raises PresetError for a `skip` that no run fits, as after a slip of the pen, or that all runs fit."""
    said = "fits no run, so nothing is skipped; its values have to be those of `grid`, `zip` and `seeds`"
    idle = [index for index in range(len(file.batch.skip)) if index not in skipped]
    if idle:
        raise PresetError([file.document.problem(("skip", index), said) for index in idle])
    if not made:
        raise PresetError([file.document.problem(("skip",), "leaves no run; skip fewer")])


def _presets(file: BatchFile) -> list[Path]:
    found = []
    for index, text in enumerate(file.batch.presets):
        try:
            beside = file.folder / expand_home(text)
            path = beside if beside.exists() or "/" in text else find_preset(text)
        except (PresetError, ValueError) as error:
            raise PresetError([file.document.problem(("presets", index), str(error))]) from None
        if not path.is_file():
            said = f"is {text}, and there is no such file; name a preset's file, or one of `dreamreel presets`"
            raise PresetError([file.document.problem(("presets", index), said)])
        found.append(path.absolute())
    return found


def _inputs(file: BatchFile) -> list[Path | None]:
    if file.batch.inputs is None:
        return [None]
    found: list[Path | None] = []
    for index, text in enumerate(file.batch.inputs):
        try:
            pattern = str(file.folder / expand_home(text))
        except ValueError as error:
            raise PresetError([file.document.problem(("inputs", index), str(error))]) from None
        matching = [pattern] if Path(pattern).exists() else sorted(glob.glob(pattern, recursive=True))
        if not matching:
            said = f"is {text}, which fits no file; name pictures, films, or a pattern such as photos/*.jpg"
            raise PresetError([file.document.problem(("inputs", index), said)])
        found += [Path(each) for each in matching]
    return list(dict.fromkeys(found))


def _is_meant(skipped: Mapping[str, Any], planned: Planned) -> bool:
    return bool(skipped) and all(planned.told.get(key) == value for key, value in skipped.items())


def _named(runs: list[Planned], batch: Batch) -> Iterator[Planned]:
    """With names that say what is in them; where two would be called alike, with a digest of that."""
    short = {key: format_path(parse_path(key)[-1:]) for key in batch.varied}
    doubled = {name for name, count in Counter(short.values()).items() if count > 1}
    short = {key: key if name in doubled else name for key, name in short.items()}
    names = [_name(each, short) for each in runs]
    counted = Counter(name.casefold() for name in names)
    for planned, name in zip(runs, names, strict=True):
        if counted[name.casefold()] > 1 or len(name) > _LONGEST:
            whole = json.dumps([str(planned.preset), str(planned.input), dict(planned.values)], default=str)
            name = f"{name[: _LONGEST - 9]}-{digest_of(whole.encode())[:8]}"
        yield Planned(name, planned.preset, planned.input, planned.values)


def _name(planned: Planned, short: Mapping[str, str]) -> str:
    parts = [planned.preset.stem, *([] if planned.input is None else [planned.input.stem])]
    parts += [f"{_fit(short[key])}={_fit(_text(value))}" for key, value in planned.values.items()]
    return "_".join([_fit(parts[0]), *(part if "=" in part else _fit(part) for part in parts[1:])])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _fit(text: str) -> str:
    return _UNFIT.sub("-", text).strip("-.") or "x"
