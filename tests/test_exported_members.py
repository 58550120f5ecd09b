"""The public names of the package: all there, nothing beside them, and none costs an import of torch."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

import dreamreel
import pipeline
from tests.processes import ROOT

BY_TWO_NAMES = ("", ".api", ".testing")
IS_QUICK = """
import sys; old = set(sys.modules); import dreamreel, pipeline.cli; print(sorted(set(sys.modules) - old))
"""


def test_every_public_name_is_there_and_nothing_else() -> None:
    assert sorted(pipeline.__all__) == pipeline.__all__, "in order, so that a name missing is seen"
    assert set(pipeline.__all__) == set(pipeline._HOMES)
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name
    own = {name for name in vars(pipeline) if not name.startswith("_")}
    parts = {name.removeprefix("pipeline.").partition(".")[0] for name in sys.modules if name.startswith("pipeline.")}
    assert own - parts - set(pipeline.__all__) <= {"TYPE_CHECKING", "activity"}


@pytest.mark.parametrize("part", BY_TWO_NAMES)
def test_what_is_imported_into_a_public_module_is_exported(part: str) -> None:
    """As httpx has it: a name is public, or a module, or begins with an underscore, or was made by Python."""
    module, again = (importlib.import_module(top + part) for top in ("pipeline", "dreamreel"))
    assert again.__all__ == module.__all__ and len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(again, name) is getattr(module, name)
    if part == ".api":  # nothing else there, since it does nothing else
        found = {name for name, it in vars(module).items() if not name.startswith("_") and not is_module(it)}
        assert found == set(module.__all__) and sorted(module.__all__) == module.__all__


def is_module(value: object) -> bool:
    return isinstance(value, ModuleType)


def test_names_are_told_to_who_asks() -> None:
    assert set(pipeline.__all__) <= set(dir(dreamreel)) and set(pipeline.__all__) <= set(dir(pipeline))
    with pytest.raises(AttributeError, match="module 'dreamreel' has no attribute 'rendr'"):
        dreamreel.rendr  # noqa: B018  # asked for, and not there
    from dreamreel import load_preset

    assert load_preset is pipeline.load_preset


def test_the_package_itself_imports_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", IS_QUICK], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "['dreamreel', 'pipeline', 'pipeline.cli']"
