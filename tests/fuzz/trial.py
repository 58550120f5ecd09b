"""Trying a case in this process, through the command's own `main`, and judging what came of it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.fuzz.case import Case

ROOT = Path(__file__).resolve().parents[2]
MOST_WORDS = 50_000  # letters of a message
STOPPED = 130
_FRAMES_SEEN, _LONG_ENOUGH = 2, 6.0  # a render is stopped after so many frames, or seconds
_MOST_PIXELS, _MOST_STEPS, _MOST_LEAD_IN, _SOME_STEPS = 160 * 120, 60, 8, 10
_INNARDS = re.compile(r"Traceback|<class '|object at 0x|<pipeline\.|PydanticUndefined")
_SHOWN, _MOST_SHOWN = 5, 2000
_FULL_DISK = "the disk of out "  # a film too long for it names its own folder, as it should
_RENDERS = ("render", "resume")


@dataclass(frozen=True)
class Fault:
    """What must not be. Faults of one `signature` have one cause."""

    signature: str
    details: str


@dataclass(frozen=True)
class Outcome:
    """How one command ended."""

    command: tuple[str, ...]
    status: int
    out: str
    errors: str
    raised: BaseException | None
    stopped: bool


def try_case(case: Case, announce: Callable[[str], None] = lambda command: None) -> list[Fault]:
    """Everything wrong with how the case's commands ended; `announce` hears each of them before it runs."""
    faults: list[Fault] = []
    before = Path.cwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        case.lay_out(Path(folder))
        os.chdir(folder)
        try:
            for chain in case.chains:
                faults += _try_chain(case, chain, announce)
        finally:
            os.chdir(before)
    return faults


def _try_chain(case: Case, chain: tuple[tuple[str, ...], ...], announce: Callable[[str], None]) -> Iterator[Fault]:
    checked = False
    for command in chain:
        if command[0] in _RENDERS and _takes_long(command):
            return
        announce(" ".join(command))
        outcome = run(command)
        yield from judge(case, outcome)
        full = " MB free, the render needs " in outcome.errors  # a check knows nothing of the disk it will go to
        if outcome.status == 1 and checked and case.whole and command[0] == "render" and not full:
            said = _without_names(outcome.errors)
            yield Fault(f"{case.area}: checks well, and is refused when rendered: {said}", _told(outcome))
        if outcome.status != 0:
            return
        checked = checked or command[0] == "check"


def run(command: tuple[str, ...]) -> Outcome:
    """One command, as a shell would start it; a render is stopped after its first frames, as by Ctrl-C."""
    from pipeline.cli import main

    status, raised, strays = 0, None, []
    arguments, hook = sys.argv, threading.excepthook
    sys.argv = ["dreamreel", *command]
    threading.excepthook = lambda caught: strays.append(caught.exc_value)
    try:
        with _written_to(1) as out, _written_to(2) as errors, _interrupted(command) as stopped:
            main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException as error:
        status, raised = 3, error
    finally:
        sys.argv, threading.excepthook = arguments, hook
    if strays:
        status, raised = 3, strays[0]
    return Outcome(command, status, _text(out), _text(errors), raised, bool(stopped))


@contextlib.contextmanager
def _written_to(descriptor: int) -> Iterator[IO[bytes]]:
    """A file with what the block writes to standard output (1) or error (2), as dreamreel does: past sys.stdout."""
    kept, file = os.dup(descriptor), tempfile.TemporaryFile()  # noqa: SIM115  # who reads it closes it
    os.dup2(file.fileno(), descriptor)
    try:
        yield file
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode(errors="replace")


@contextlib.contextmanager
def _interrupted(command: tuple[str, ...]) -> Iterator[list[bool]]:
    stopped: list[bool] = []
    if command[0] not in _RENDERS:
        yield stopped
        return
    done = threading.Event()
    folder = Path(command[1] if command[0] == "resume" else command[command.index("--out") + 1])
    before = _frames_logged(folder)

    def watch() -> None:
        end = time.monotonic() + _LONG_ENOUGH
        while not done.wait(0.05):
            if time.monotonic() > end or _frames_logged(folder) >= before + _FRAMES_SEEN:
                stopped.append(True)
                os.kill(os.getpid(), signal.SIGINT)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield stopped
    finally:
        done.set()
        watcher.join()


def _frames_logged(folder: Path) -> int:
    try:
        return (folder / "run.jsonl").read_bytes().count(b'{"frame"')
    except OSError:
        return 0


def _takes_long(command: tuple[str, ...]) -> bool:
    """Whether a render is large by rights: what a fuzzer turns up asks for a day's work now and then."""
    from pipeline.preset import load_preset
    from pipeline.run.folder import RunFolder

    try:
        preset = RunFolder(command[1]).load_preset() if command[0] == "resume" else load_preset(command[1])
        lead_in = 0 if preset.lead_in is None else preset.lead_in.span(preset.fps)
        steps = sum(map(_steps, preset.stages))
        return preset.size.width * preset.size.height > _MOST_PIXELS or steps > _MOST_STEPS or lead_in > _MOST_LEAD_IN
    except Exception:
        return False  # the command itself will say what is the matter


def _steps(stage: Any) -> float:
    """Gradient steps of the first frame, or of any other where those are more."""
    if not hasattr(stage, "octaves"):
        return 0
    later = stage.steps.constant
    return float(stage.octaves * max(stage.first_steps, _SOME_STEPS if later is None else later))


def judge(case: Case, outcome: Outcome) -> Iterator[Fault]:
    """What is wrong with how a command ended."""
    command, said = outcome.command[0], outcome.errors
    if outcome.raised is not None:
        yield Fault(f"{case.area}: {_cause(outcome.raised)}", _told(outcome))
        return
    if "Traceback" in said:
        yield Fault(f"{case.area}: {_cause_told(said)}", _told(outcome))
        return
    if outcome.status not in (0, 1, STOPPED if outcome.stopped else 0):
        yield Fault(f"{case.area}: {command} ends with status {outcome.status}", _told(outcome))
    if outcome.status == 1 and not said.strip():
        yield Fault(f"{case.area}: {command} fails without a word", _told(outcome))
    elif outcome.status == 1 and not any(name in said for name in (*case.named, _FULL_DISK)):
        yield Fault(f"{case.area}: {command} names no file or key: {_without_names(said)}", _told(outcome))
    yield from _worded_badly(case, outcome)


def _worded_badly(case: Case, outcome: Outcome) -> Iterator[Fault]:
    command, said = outcome.command[0], outcome.out + outcome.errors
    raw = {letter for letter in said if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\r\t"}
    if raw:
        yield Fault(f"{case.area}: {command} prints control characters", _told(outcome))
    if len(said) > MOST_WORDS:
        yield Fault(f"{case.area}: {command} prints more than {MOST_WORDS} letters", _told(outcome))
    found = _INNARDS.search(said) or re.search(r"\w*Warning: ", said)
    if found:
        line = next((line for line in said.splitlines() if found[0] in line), "")
        yield Fault(f"{case.area}: {command} shows its innards: {_without_names(line)}", _told(outcome))


def _cause(error: BaseException) -> str:
    """The kind of an exception, and the innermost place of the pipeline that it came through."""
    place = next((f"{_short(frame)} ({frame.name})" for frame in _ours(error)), "outside")
    return f"{type(error).__name__} in {place}"


def _cause_told(said: str) -> str:
    """The same of a traceback that was printed."""
    places = re.findall(r'File ".*/pipeline/([^"]+)", line \d+, in (\w+)', said)
    kinds = re.findall(r"^(\w[\w.]*(?:Error|Exception|Exit|Interrupt|Warning))\b", said, re.MULTILINE)
    kind = kinds[-1].rpartition(".")[2] if kinds else "something"
    return f"{kind} in {places[-1][0]} ({places[-1][1]})" if places else f"{kind} in outside"


def _ours(error: BaseException) -> list[traceback.FrameSummary]:
    """The pipeline's own frames, innermost first."""
    return [frame for frame in traceback.extract_tb(error.__traceback__)[::-1] if "/pipeline/" in frame.filename]


def _short(frame: traceback.FrameSummary) -> str:
    return frame.filename.rpartition("/pipeline/")[2]


def _told(outcome: Outcome) -> str:
    """What a person needs to see of it."""
    lines = [f"$ dreamreel {' '.join(outcome.command)}", f"status {outcome.status}"]
    if outcome.raised is not None:
        lines += [
            f"  {_short(frame)}:{frame.lineno} {frame.name}: {frame.line}" for frame in _ours(outcome.raised)[:_SHOWN]
        ]
        lines += [f"{type(outcome.raised).__name__}: {outcome.raised}"]
    else:
        lines += [outcome.errors or outcome.out]
    return "\n".join(lines).encode("unicode_escape").decode().replace("\\n", "\n")[:_MOST_SHOWN]


def _without_names(text: str) -> str:
    """The message without what differs from case to case."""
    short = re.sub(r"'[^']*'|\"[^\"]*\"|\S*/\S*|\d+", "*", text.strip().splitlines()[0] if text.strip() else "")
    return re.sub(r"[^ -~]", "?", short)[-80:]
