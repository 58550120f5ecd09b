"""Regular expressions mean the same in every Python that dreamreel runs on."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _parser  # type: ignore[attr-defined]  # what Python itself reads patterns with
from typing import Any

import pipeline

_WRONG_BEFORE_3_11_5 = {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every compiled one that a module of ours holds."""
    for found in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if found.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            if isinstance(value, re.Pattern):
                yield f"{found.name}.{name}", value


def operations(parsed: Any) -> Iterator[str]:
    """The names of all operations in a parsed pattern, however deep."""
    if isinstance(parsed, _parser.SubPattern | list | tuple):
        for each in parsed:
            yield from operations(each)
    elif isinstance(parsed, int):  # constants are numbers with names
        yield str(parsed)


def test_no_pattern_is_possessive() -> None:
    found = dict(patterns())
    assert len(found) > 10 and "pipeline.preset.scanner._BLOCK_WORDS" in found
    wrong = {name for name, each in found.items() if _WRONG_BEFORE_3_11_5 & {*operations(_parser.parse(each.pattern))}}
    assert not wrong


def test_the_check_sees_possessive_patterns() -> None:
    assert "POSSESSIVE_REPEAT" in {*operations(_parser.parse(r"(?:a(?:b++)c)"))}
    assert "ATOMIC_GROUP" in {*operations(_parser.parse(r"x(?>ab|a)c"))}
