"""One root for everything a user can do wrong or a machine can refuse; each message names the remedy."""

import os
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_JOINERS = "\u200c\u200d"  # Persian words and many emoji need them
_BYTES = range(0xDC80, 0xDD00)  # what Python makes of a name's bytes that are no UTF-8


def printable(text: str) -> str:
    """`text` on one line, with whatever a terminal would obey or not show written out, such as `\\x1b`."""
    return text if text.isascii() and text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    if ord(character) in _BYTES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    unseen = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in _JOINERS
    return character.encode("unicode_escape").decode() if unseen else character


def shell_word(text: str) -> str:
    """`text` as one word of a command, ready to be pasted into a shell, whatever stands in it."""
    if printable(text) == text:
        return shlex.quote(text)
    # What can't be printed, bash, zsh and ksh read like so.
    shown = (chr(b) if 32 <= b < 127 and b not in b"\\'" else f"\\x{b:02x}" for b in os.fsencode(text))
    return f"$'{''.join(shown)}'"


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
