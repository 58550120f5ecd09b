"""One root for everything a user can do wrong or a machine can refuse; each message names the remedy."""

import ast
import os
import re
import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Where a value stands in a preset: keys, and places in lists."""

# Unicode's categories of control and format characters, surrogates, and separators of lines and paragraphs.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # of letters in some scripts, and of emoji
_SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}
_OBJECT = re.compile(r"<[^<>]* (?:object )?at 0x[0-9a-fA-F]+>")
_MOST_OF_A_REASON = 200
_BARE = re.compile(r"[^.\[\]\"'=\s]+(?: +[^.\[\]\"'=\s]+)*")
_SETTING_PART = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'=]+""")
_PART = re.compile(r"""\[(\d{1,9})\]|\.?(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([^.\[\]"']+))""")


def printable(text: str, *, lines: bool = False) -> str:
    """`text` with all that could act on a terminal, or hide there, written as escapes: `\\x1b`, `\\u202e`, `\\n`.

    Bytes of names that are not UTF-8 show as `\\xff`. With `lines`, line ends stay. Done twice it is the same as once.
    """
    if text.isprintable():
        return text
    kept = _JOINERS + "\n" if lines else _JOINERS
    return "".join(letter if letter in kept or _is_harmless(letter) else _escaped(letter) for letter in text)


def _is_harmless(letter: str) -> bool:
    return unicodedata.category(letter) not in _UNSEEN


def _escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: a byte that was no UTF-8
        code -= 0xDC00
    if letter in _SHORT:
        return _SHORT[letter]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shortened(text: str, most: int = 300) -> str:
    """`text`, or its beginning where it is longer than anybody means it to be."""
    return text if len(text) <= most else text[: most - 3] + "..."


def shell_word(text: str) -> str:
    """`text` as one word of a command, ready to be pasted into a shell, whatever stands in it."""
    if printable(text) == text:
        return shlex.quote(text)
    # What can't be printed, bash, zsh and ksh read like so.
    shown = (chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\x{byte:02x}" for byte in os.fsencode(text))
    return f"$'{''.join(shown)}'"


def format_path(path: KeyPath) -> str:
    """`stages[1].octaves`; a key that such a path can't hold stands in quotes. `parse_path` reads it back."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_bare_or_quoted(part)}" for part in path)
    return text.removeprefix(".")


def _bare_or_quoted(key: str) -> str:
    return key if _BARE.fullmatch(key) and printable(key) == key else repr(key)


def parse_path(text: str) -> KeyPath:
    """The keys of `stages[1].octaves`. Raises ValueError where it is no path."""
    keys: list[str | int] = []
    end = 0
    while end < len(text):
        match = _PART.match(text, end)
        if match is None or (not keys and text.startswith(".")):
            raise ValueError(f"{text[:60]!r} is no path of keys; write it as stages[1].octaves")
        keys.append(_key(*match.groups()))
        end = match.end()
    return tuple(keys)


def split_setting(text: str) -> tuple[str, str] | None:
    """Key and value of `KEY=VALUE`, where a key in quotes may hold `=` too; None where there is no `=`."""
    end = next((end for end in _ends_of_parts(text) if text.startswith("=", end)), text.find("="))
    return None if end < 0 else (text[:end].strip(), text[end + 1 :].strip())


def _ends_of_parts(text: str) -> Iterator[int]:
    end = 0
    while match := _SETTING_PART.match(text, end):
        end = match.end()
        yield end


def _key(index: str | None, quoted: str | None, bare: str) -> str | int:
    if quoted is not None:
        try:
            return str(ast.literal_eval(quoted))
        except (SyntaxError, ValueError):
            raise ValueError(f"{quoted} is not text in quotes") from None
    return bare if index is None else int(index)


def reason_of(error: BaseException) -> str:
    """What a library or the system says of its error, in a line for people; the error's kind where it says nothing."""
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    first = _OBJECT.sub("it", said).strip().partition("\n")[0]
    return " ".join(first.split())[:_MOST_OF_A_REASON] or type(error).__name__


def mishap(error: Exception) -> str:
    """What a message says of an exception that no check foresaw, where presets and files come in.

    With DREAMREEL_TRACEBACK in the environment it is raised instead, so that a bug of ours can be found.
    """
    if os.environ.get("DREAMREEL_TRACEBACK"):
        raise error
    if isinstance(error, PipelineError | UnicodeError):
        return str(error)
    kind, reason = type(error).__name__, reason_of(error)
    words = kind if reason == kind else f"{kind}: {reason}"
    from pipeline.plugins import culprit  # only now: what it needs takes a while to import

    package = culprit(error)
    whom = "" if package is None else f" to the authors of {package}"
    return f"can't be worked with ({words}); if it is right, please report it{whom}, with DREAMREEL_TRACEBACK=1 set"


class PipelineError(Exception):
    """Something the user or the machine has to change. Shown without a traceback; exit status 1."""

    def __str__(self) -> str:
        return printable(super().__str__(), lines=True)


class ModelError(PipelineError):
    """A network, one of its layers, or its weights can't be used."""


class MediaError(PipelineError):
    """A picture or a film can't be read, or ffmpeg can't write one."""


class DeviceError(PipelineError):
    """The device asked for is not there."""


class RunError(PipelineError):
    """A run's folder can't be used, or a render had to stop; what was rendered is kept."""


class TroubleError(RunError):
    """What stopped a run may be over by the next try: a full disk, a read-only folder, another process there."""


class StoppedWaiting(TroubleError):
    """Somebody asked to stop while it was waited for another process; nothing had begun."""


PASSING = (TroubleError, DeviceError)
"""What may be over by the next try; of all else, trying again mends nothing."""


class StageError(PipelineError):
    """A stage does not keep to the rules by which stages work together; whoever wrote it has to change it."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a preset: where it stands, the key's path, and what to do about it."""

    where: str
    """the file, or what stands in its place, such as `--set fps=x`; empty: nowhere in particular"""
    path: KeyPath
    message: str
    line: int | None = None
    """in the file, from 1"""
    package: bool = False
    """whether it is the fault of a package that is not here, or is no longer as it was, and not of the preset"""

    def __str__(self) -> str:
        where = self.where if self.line is None else f"{self.where}:{self.line}"
        return ": ".join(printable(part) for part in (where, format_path(self.path), self.message) if part)


class PresetError(PipelineError):
    """A preset can't be rendered; carries every problem that was found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
