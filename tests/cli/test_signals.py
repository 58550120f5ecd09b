"""Signals at any time, from people, terminals and other programs: no traceback, and nothing that was rendered lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.run import Options, resume
from tests.conftest import SMALL
from tests.processes import COMMAND, ROOT, Terminal, surroundings

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
IMPORTING = """
import os, signal, sys
from pipeline.cli import stopping
stopping.obey()
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "pipeline.checkpoint":
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            return None
sys.meta_path.insert(0, Slow())
try:
    import pipeline.checkpoint
except BaseException as error:
    raise ImportError("as C extensions make of any exception") from error
"""
WAITING = """
import os, signal, sys, time
from pipeline.cli.stopping import Stopping
with Stopping(lambda text: print(text, flush=True)) as stopping:
    for name in sys.argv[1:]:
        if name == "later":
            time.sleep(0.5)
        else:
            os.kill(os.getpid(), getattr(signal, name))
    time.sleep(0.1)
    print("asked" if stopping.asked else "not asked", flush=True)
"""


def run_code(code: str, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=surroundings(), timeout=100)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_amid_an_import_ends_quietly(name: str) -> None:
    done = run_code(IMPORTING, name)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.1, 0.3])
def test_ctrl_c_in_the_first_moments_shows_no_traceback_of_ours(moment: float, tmp_path: Path) -> None:
    marked = tmp_path / "sitecustomize.py"  # Python itself is up: what comes before is not ours
    marked.write_text("import os, sys\nos.write(1, b'up')\n")
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    process = subprocess.Popen(
        [sys.executable, "-c", "from pipeline.cli import main; main()", "presets"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(PYTHONPATH=path),
    )
    assert process.stdout is not None and process.stdout.read(2) == b"up"
    time.sleep(0.05 + moment)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=100)
    assert process.returncode in (130, -signal.SIGINT) and b"Traceback" not in errors, errors


@pytest.mark.parametrize(
    ("signals", "status", "said"),
    [
        (("SIGHUP",), 0, "asked"),
        (("SIGTERM",), 0, "asked"),
        (("SIGINT", "SIGINT", "SIGTERM"), 0, "asked"),  # one wish, passed on by several
        (("SIGHUP", "later", "SIGHUP"), 0, "asked"),  # a shell's and the system's, when a terminal closes
        (("SIGHUP", "later", "SIGINT"), 130, "once more"),
        (("SIGTERM", "later", "SIGTERM"), 130, "once more"),
    ],
)
def test_which_signals_stop_and_which_end(signals: tuple[str, ...], status: int, said: str) -> None:
    done = run_code(WAITING, *signals)
    assert done.returncode == status and said in done.stdout, done


def test_nohup_is_respected() -> None:
    done = run_code(WAITING, "SIGHUP", before=("nohup",))
    assert done.returncode == 0 and "not asked" in done.stdout


def test_a_render_outlives_its_terminal_with_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    before, _, behind = SMALL.partition("  - stage: dream")
    without_dream = before + behind[behind.index("  - stage") :]
    path.write_text(without_dream.replace("4f", "4000f"))
    with Terminal((*COMMAND, "render", "small.yaml", "--out", "stopped"), tmp_path) as terminal:
        terminal.wait_for(b" left")
        terminal.hang_up()  # what is shown now goes nowhere, and a shell sends what follows
        terminal.process.send_signal(signal.SIGHUP)
        assert terminal.process.wait(100) == 130
    assert list((tmp_path / "stopped/state").glob("*.json"))
    done = resume(tmp_path / "stopped", options=Options(should_stop=lambda: True))
    assert done.frames >= 1 and done.rendered == 0
