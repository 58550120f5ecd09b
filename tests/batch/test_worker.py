"""What a worker of a cluster does with a run, without a cluster: stand-ins for runs end, linger, fail and die."""

from __future__ import annotations

import _thread
import ast
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.batch import worker
from pipeline.statuses import RESUMABLE, STOPPED
from tests.processes import ROOT

AGAIN = (RESUMABLE, STOPPED)

# Each try is noted, and each SIGTERM; `frame` gets on with the film; `linger` is busy with its checkpoint for long.
STAND_IN = """\
import os, signal, sys, time
from pathlib import Path
here = Path(__file__).parent
def note(text):
    with (here / "noted").open("a") as file: file.write(text + "\\n")
def frame(number):
    with (here / "run.jsonl").open("a") as file: file.write('{"frame": %d, "times": {}}\\n' % number)
def linger(*_):
    note("SIGTERM")
    end = time.monotonic() + 0.6
    while time.monotonic() < end: time.sleep(0.02)
    print("saved"); sys.exit(75)
tries = sum(line == "try" for line in (here / "noted").read_text().splitlines()) if (here / "noted").exists() else 0
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.0)


def command(folder: Path, what: str) -> list[str]:
    """One that first notes that it is tried."""
    (folder / "run.py").write_text(f'{STAND_IN}signal.signal(signal.SIGTERM, linger)\nnote("try")\n{what}\n')
    return [sys.executable, str(folder / "run.py")]


def render(folder: Path, what: str, fruitless: int = 3) -> tuple[int, str]:
    return worker.render(command(folder, what), str(folder), {"MORE": "words"}, AGAIN, fruitless, str(folder / ".stop"))


def noted(folder: Path) -> list[str]:
    return (folder / "noted").read_text().splitlines() if (folder / "noted").exists() else []


def when(is_so: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Do something, once it is so."""

    def wait() -> None:
        while not is_so():
            time.sleep(0.01)
        act()

    made = threading.Thread(target=wait)
    made.start()
    return made


def test_what_ends_well_or_by_its_own_fault_is_tried_once(tmp_path: Path) -> None:
    assert render(tmp_path, "print(os.environ['MORE'])") == (0, "words")
    assert render(tmp_path, "print('1\\n2\\n\\n3\\n4'); sys.exit(1)") == (1, "2\n3\n4")
    assert noted(tmp_path) == ["try", "try"]


@pytest.mark.parametrize("end", ["sys.exit(75)", "sys.exit(130)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_what_may_be_over_soon_is_tried_again(tmp_path: Path, end: str) -> None:
    assert render(tmp_path, f"if tries < 2: {end}\nprint('done')") == (0, "done")
    assert noted(tmp_path) == ["try"] * 3


def test_fruitless_tries_are_given_up(tmp_path: Path) -> None:
    assert render(tmp_path, "print('the disk is full'); sys.exit(75)") == (RESUMABLE, "the disk is full")
    assert noted(tmp_path) == ["try"] * 3


def test_a_kill_that_comes_each_time_is_given_up(tmp_path: Path) -> None:
    assert render(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", fruitless=2) == (-signal.SIGKILL, "")
    assert noted(tmp_path) == ["try"] * 2


def test_tries_that_get_on_are_not_counted(tmp_path: Path) -> None:
    """Every second try has a frame; the third in a row that has none is the last."""
    what = "if tries < 6 and tries % 2: frame(tries)\nsys.exit(75)"
    assert render(tmp_path, what)[0] == RESUMABLE
    assert noted(tmp_path) == ["try"] * (6 + 3)


def test_shots_that_get_on_are_a_run_that_gets_on(tmp_path: Path) -> None:
    (tmp_path / "shots/0002").mkdir(parents=True)
    shot = "(here / 'shots/0002/run.jsonl').open('a').write('{\"frame\": %d}\\n' % tries)"
    assert render(tmp_path, f"if tries < 5: {shot}\nsys.exit(75)")[0] == RESUMABLE
    assert noted(tmp_path) == ["try"] * (5 + 3)


def test_a_log_is_read_from_its_end(tmp_path: Path) -> None:
    lines = [f'{{"frame": {number}, "more": "{"x" * 90}"}}\n' for number in range(2000)]
    (tmp_path / "run.jsonl").write_text("".join(lines) + '{"event": "stopped", "frame": 9999}\n{"fra')
    assert worker.frames_logged(str(tmp_path)) == 2000
    assert worker.frames_logged(str(tmp_path / "nowhere")) == 0


def test_what_is_told_to_stop_gets_one_signal_and_no_other_try(tmp_path: Path) -> None:
    told = when(lambda: noted(tmp_path) == ["try"], (tmp_path / ".stop").touch)
    assert render(tmp_path, "time.sleep(60)") == (RESUMABLE, "stopped")
    told.join()
    assert noted(tmp_path) == ["try", "SIGTERM"]


def test_what_ends_well_though_it_was_told_is_done(tmp_path: Path) -> None:
    told = when(lambda: noted(tmp_path) == ["try"], (tmp_path / ".stop").touch)
    finishing = "signal.signal(signal.SIGTERM, lambda *_: (note('SIGTERM'), print('done'), sys.exit(0)))"
    assert render(tmp_path, f"{finishing}\ntime.sleep(60)") == (0, "done")
    told.join()


def test_what_was_told_before_is_not_begun(tmp_path: Path) -> None:
    (tmp_path / ".stop").touch()
    assert render(tmp_path, "pass") == (RESUMABLE, "stopped")
    assert noted(tmp_path) == []


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Ctrl-C interrupts Python, which it does not where the tests were begun in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("told", [False, True], ids=["cancelled", "told and cancelled"])
def test_a_task_that_is_cancelled_asks_its_run_once_and_waits_for_it(tmp_path: Path, told: bool) -> None:
    """Ray interrupts the thread of a task."""
    begun = when(lambda: noted(tmp_path) == ["try"], (tmp_path / ".stop").touch if told else _thread.interrupt_main)
    cancelled = when(lambda: "SIGTERM" in noted(tmp_path), _thread.interrupt_main if told else lambda: None)
    with pytest.raises(KeyboardInterrupt):
        render(tmp_path, "time.sleep(60)")
    begun.join()
    cancelled.join()
    assert noted(tmp_path) == ["try", "SIGTERM"]
    with pytest.raises(ChildProcessError):  # none is left
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process of its parent's end")
def test_a_killed_worker_takes_its_run_with_it(tmp_path: Path) -> None:
    words = command(tmp_path, "note(str(os.getpid()))\ntime.sleep(60)")
    work = f"from pipeline.batch import worker; worker.render({words}, '.', {{}}, (75,), 3, '.stop')"
    with subprocess.Popen(
        [sys.executable, "-c", work], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as ours:
        when(lambda: len(noted(tmp_path)) == 2, ours.kill).join()
    run = Path("/proc") / noted(tmp_path)[1]
    end = time.monotonic() + 20
    while time.monotonic() < end and _lives(run):
        time.sleep(0.01)
    assert not _lives(run)
    assert len(noted(tmp_path)) == 2  # killed, not asked


def _lives(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _imports() -> Iterator[str]:
    for node in ast.walk(ast.parse(Path(worker.__file__).read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.module is None or node.level else node.module


def test_a_worker_needs_nothing_of_ours(tmp_path: Path) -> None:
    assert {name.partition(".")[0] for name in _imports()} <= sys.stdlib_module_names
    cloudpickle = pytest.importorskip("ray").cloudpickle
    cloudpickle.register_pickle_by_value(worker)
    try:
        sent = cloudpickle.dumps(worker.render)
    finally:
        cloudpickle.unregister_pickle_by_value(worker)
    (tmp_path / "sent").write_bytes(sent)
    words = command(tmp_path, "print('rendered')")
    work = (
        "import pickle, sys; sys.meta_path.insert(0, type('', (), {'find_spec': lambda name, *_: "
        "sys.exit(name) if name.startswith(('pipeline', 'torch')) else None}));"
        f"print(pickle.load(open('sent', 'rb'))({words}, '.', {{}}, (75,), 3, '.stop'))"
    )
    done = subprocess.run([sys.executable, "-c", work], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "(0, 'rendered')\n", done.stderr
    assert len(sent) < 20_000 and pickle.loads(sent) is not worker.render
