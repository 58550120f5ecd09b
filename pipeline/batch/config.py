"""What a batch file says, and reading it."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from pipeline.disk import read_regular
from pipeline.errors import PresetError, Problem, mishap, parse_path
from pipeline.preset.boundary import validated
from pipeline.preset.explain import shown
from pipeline.preset.names import name_from, require_name
from pipeline.preset.yaml12 import MAX_BYTES, Document, read_document

MOST_RUNS = 10_000
_MOST_SEED = 2**63 - 1
_SPAN = re.compile(r"\s*(\d{1,19})\s*(?:-\s*(\d{1,19})\s*)?")
_SEEDS = "must be a seed, 0 or more, seeds such as 0-7, or a list of them"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _seeds(value: object) -> object:
    parts = value if isinstance(value, list) else str(value).split(",") if isinstance(value, str) else [value]
    return tuple(chain.from_iterable(map(_span, parts)))


def _span(part: object) -> range:
    match = _SPAN.fullmatch(str(part)) if isinstance(part, int | str) and not isinstance(part, bool) else None
    if match is None:
        raise ValueError(f"{_SEEDS}; {shown(part)} is none")
    first, last = int(match[1]), int(match[2] or match[1])
    if last > _MOST_SEED:
        raise ValueError(f"{last} is too large for a seed; the largest is {_MOST_SEED}")
    if not first <= last:
        raise ValueError(f"{shown(part)} runs backwards; write {last}-{first}")
    if last - first >= MOST_RUNS:
        raise ValueError(f"{shown(part)} are {last - first + 1} seeds, a batch has at most {MOST_RUNS} runs")
    return range(first, last + 1)


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1, max_length=MOST_RUNS)]
Seeds = Annotated[tuple[int, ...], BeforeValidator(_seeds), Field(min_length=1, max_length=MOST_RUNS)]
Values = Annotated[tuple[Any, ...], Field(min_length=1, max_length=MOST_RUNS)]


class Batch(BaseModel):
    """Which runs there are: every preset with every input, every row of `zip`, all of `grid`, and every seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="what the folder of all runs is called; the file's own name if left out")
    presets: Texts = Field(description="presets' files, or names on the shelf: first-light, or [mine.yaml, endless]")
    inputs: Texts | None = Field(
        None, description="pictures, films or patterns such as photos/*.jpg, each for the source of a run of its own"
    )
    seeds: Seeds | None = Field(None, description="0-7, or [1, 5, 20-29]")
    grid: dict[str, Values] = Field(
        {},
        description="keys as --set takes them, each with a list of values; every value goes with every other: "
        "{dream.layer: [blocks.4.1, blocks.5.0], zoom.zoom: [1.1, 1.3]}",
    )
    zip: dict[str, Values] = Field(
        {}, description="keys with lists of values of one length, which go together: first with first, and so on"
    )
    set: dict[str, Any] = Field({}, description="keys with the value that all runs have: {duration: 5s}")
    skip: tuple[dict[str, Any], ...] = Field(
        (), description="what to leave out, by the values that a run has: [{dream.layer: blocks.5.0, seed: 3}]"
    )

    @field_validator("name")
    @classmethod
    def _fit_for_files(cls, name: str) -> str:
        return require_name(name)

    @field_validator("grid", "zip", "set")
    @classmethod
    def _keys(cls, given: dict[str, Any]) -> dict[str, Any]:
        for key in given:
            parse_path(key)
        return given

    @model_validator(mode="after")
    def _fits(self) -> Batch:
        lengths = {len(values) for values in self.zip.values()}
        if len(lengths) > 1:
            counted = ", ".join(f"{key} has {len(values)}" for key, values in self.zip.items())
            raise ValueError(f"`zip` has lists of different lengths ({counted}); they go together, so make them equal")
        twice = sorted((self.grid.keys() & self.zip.keys()) | ((self.grid.keys() | self.zip.keys()) & self.set.keys()))
        if twice:
            raise ValueError(f"{', '.join(twice)} stands in two of `grid`, `zip` and `set`; keep one")
        if self.seeds is not None and any("seed" in each for each in (self.grid, self.zip, self.set)):
            raise ValueError("has both `seeds` and the key `seed`; keep one")
        for each in self.skip:
            if unknown := sorted(each.keys() - {"preset", "input", *self.varied}):
                known = ", ".join(("preset", "input", *self.varied))
                raise ValueError(f"`skip` names {', '.join(unknown)}, which no two runs differ in (there are: {known})")
        return self

    @property
    def varied(self) -> tuple[str, ...]:
        """The keys that runs differ in, in the order in which they stand in names."""
        return (*self.zip, *self.grid, *(("seed",) if self.seeds is not None else ()))


class BatchFile:
    """A batch, and where it comes from."""

    def __init__(self, batch: Batch, document: Document, folder: Path) -> None:
        self.batch, self.document, self.folder = batch, document, folder


def load_batch(path: str | Path) -> BatchFile:
    """Read a batch file. Raises PresetError with every problem found."""
    path = Path(path)
    try:
        raw = read_regular(path, MAX_BYTES)
    except OSError as error:
        said = f"can't be read: {error.strerror or error}; give a batch file, as docs/batches.md describes"
        raise PresetError([Problem(str(path), (), said)]) from None
    document = read_document(raw, str(path))
    if not isinstance(document.data, dict):
        found = "empty" if document.data is None else shown(document.data)
        raise PresetError([Problem(str(path), (), f"is {found}, must be a mapping of keys such as `presets:`")])
    if "stages" in document.data:
        said = "is a preset; a batch names presets: `presets: [mine.yaml]`, and what they vary in"
        raise PresetError([document.problem(("stages",), said)])
    keys = {"name": name_from(path.stem), **document.data}
    try:
        batch, problems = validated(Batch, keys, (), document, {})
    except Exception as error:
        raise PresetError([Problem(str(path), (), mishap(error))]) from error
    if batch is None:
        raise PresetError(problems)
    return BatchFile(batch, document, path.parent.absolute())
