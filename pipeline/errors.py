"""One root for everything a user can do wrong or a machine can refuse; each message names the remedy."""

from collections.abc import Sequence
from dataclasses import dataclass


class PipelineError(Exception):
    """Something the user or the machine has to change. Shown without a traceback; exit status 1."""


class ModelError(PipelineError):
    """A network, one of its layers, or its weights can't be used."""


class MediaError(PipelineError):
    """A picture or a film can't be read, or ffmpeg can't write one."""


class DeviceError(PipelineError):
    """The device asked for is not there."""


class RunError(PipelineError):
    """A run's folder can't be used, or a render had to stop; what was rendered is kept."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a preset: where it stands, the key's path, and what to do about it."""

    where: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.path, self.message) if part)


class PresetError(PipelineError):
    """A preset can't be rendered; carries every problem that was found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
