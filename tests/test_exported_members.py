"""The public names of the package: all there, nothing beside them, and none costs an import of torch."""

from __future__ import annotations

import subprocess
import sys

import pipeline
from tests.processes import ROOT


def test_every_public_name_is_there_and_nothing_else() -> None:
    assert sorted(pipeline.__all__) == pipeline.__all__, "in order, so that a name missing is seen"
    assert set(pipeline.__all__) == set(pipeline._HOMES)
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name
    own = {name for name in vars(pipeline) if not name.startswith("_")}
    parts = {name.removeprefix("pipeline.").partition(".")[0] for name in sys.modules if name.startswith("pipeline.")}
    assert own - parts - set(pipeline.__all__) <= {"TYPE_CHECKING", "activity"}


def test_the_package_itself_imports_nothing() -> None:
    code = "import sys; old = set(sys.modules); import pipeline, pipeline.cli; print(sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "['pipeline', 'pipeline.cli']"
