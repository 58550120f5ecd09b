"""A film in a notebook's cell, by a real IPython; and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys

from tests.processes import ROOT
from tests.studio.conftest import TEXT

SHOWN = f"import pipeline; pipeline.show(pipeline.parse_preset({TEXT!r}, overrides=dict(duration='4f')))"
CELL = f"""
import sys
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

class Kept(DisplayPublisher):
    def publish(self, data, metadata=None, *, transient=None, update=False, **more):
        print(sorted(set(data) & {{"image/jpeg"}}), update, transient["display_id"], file=sys.stderr)

shell = InteractiveShell.instance(display_pub_class=Kept)
shell.display_pub = Kept()
found = shell.run_cell({SHOWN!r})
found.raise_error()
"""


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)


def test_frames_take_each_others_place_in_the_cell() -> None:
    shown = [line.split() for line in _run(CELL).stderr.splitlines() if "image/jpeg" in line]
    assert shown[0][1] == "False" and {update for _, update, _ in shown[1:]} == {"True"}
    assert len(shown) >= 2 and len({place for _, _, place in shown}) == 1


def test_elsewhere_it_says_what_to_do() -> None:
    said = _run("import pipeline; pipeline.show('first-light')").stdout
    assert said.startswith("show() streams frames into a notebook's cell") and "dreamreel studio" in said
