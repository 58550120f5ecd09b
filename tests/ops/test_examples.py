"""Every function of `pipeline.ops` shows itself in an example, and the examples are right."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch

import pipeline.ops
from pipeline.frame import Size
from pipeline.ops.motion import pixel_positions

MODULES = [import_module(f"pipeline.ops.{found.name}") for found in pkgutil.iter_modules(pipeline.ops.__path__)]
AT_HAND = {"torch": torch, "np": np, "Size": Size, "pixel_positions": pixel_positions}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_examples_run(module: ModuleType) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder(exclude_empty=False).find(module, extraglobs=AT_HAND):
        runner.run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_function_has_one(module: ModuleType) -> None:
    functions = {name: each for name, each in vars(module).items() if inspect.isfunction(each) and name[0] != "_"}
    without = [
        name
        for name, each in functions.items()
        if each.__module__ == module.__name__ and ">>> " not in (each.__doc__ or "")
    ]
    assert not without
