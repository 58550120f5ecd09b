"""The nearest of some known names to one that is not among them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """At most `most` known names that are likely to be meant by `name`, the likeliest first."""
    return difflib.get_close_matches(name, list(known), n=most, cutoff=cutoff)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'octaves'?`, to stand at the end of a clause; empty where no name is near."""
    near = nearest(name, known)
    return f"; did you mean {near[0]!r}?" if near else ""
