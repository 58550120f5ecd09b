"""Presets that show pictures of Python packages: what is missing, in one line, and what may stand in for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pipeline.errors import KeyPath, Problem, format_path
from pipeline.media.paths import DISTRIBUTIONS, package_of
from pipeline.preset.yaml12 import Document

_ONNX = re.compile(r"^onnx(-\w+)?:")


def missing_packages(document: Document) -> list[Problem]:
    """One problem for each Python package that keys of a preset name and that is not installed."""
    wanting: dict[str, list[KeyPath]] = {}
    for path, text in _texts(document.data, ()):
        package, folder = package_of(_ONNX.sub("", text))
        if package is not None and folder is None:
            wanting.setdefault(package, []).append(path)
    return [_problem(document, package, paths) for package, paths in wanting.items()]


def _texts(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _texts(each, (*path, key))


def _problem(document: Document, package: str, paths: list[KeyPath]) -> Problem:
    also = "".join(f", and {format_path(path)} needs it too" for path in paths[1:])
    remedy = f"pip install {DISTRIBUTIONS[package]}, or " if package in DISTRIBUTIONS else ""
    options = " ".join(_option(document.data, path) for path in paths)
    message = f"the Python package {package!r} is not installed{also}; {remedy}name a file of your own: {options}"
    return document.problem(paths[0], message)


def _option(data: dict[str, Any], path: KeyPath) -> str:
    """What puts another file there on the command line."""
    if path == ("stages", 0, "path"):
        return "--input FILE"
    stages = data["stages"] if isinstance(data.get("stages"), list) else []
    if path[0] == "stages" and len(path) > 2 and isinstance(stage := stages[int(path[1])], dict):
        names = [each[key] for each in stages if isinstance(each, dict) for key in ("id", "stage") if key in each]
        called = stage.get("id", stage.get("stage"))
        if isinstance(called, str) and names.count(called) == 1:
            path = (called, *path[2:])
    return f"--set {format_path(path)}={'onnx:' if path[-1] == 'model' else ''}FILE"
