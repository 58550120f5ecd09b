"""Stages that other packages bring, by their entry points: who offers which name. Nothing is imported here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from types import TracebackType

GROUP = "dreamreel.stages"


@dataclass(frozen=True)
class Offer:
    """A stage's name as a package offers it; nobody has looked yet at what stands behind it."""

    name: str
    package: str
    """as pip calls it"""
    version: str
    entry: EntryPoint

    @property
    def requirement(self) -> str:
        """What `pip install` takes: `dreamreel-kaleidoscope==0.1.0`."""
        return f"{self.package}=={self.version}"

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


def offers() -> dict[str, list[Offer]]:
    """Who offers a stage, by its name: all installed packages, each once. Where none does it takes milliseconds."""
    found: dict[str, list[Offer]] = {}
    seen: set[str] = set()
    if not any(map(_offers, distributions())):
        return found  # a package's name is read off all that it says of itself: of a hundred, half a second
    for distribution in distributions():
        # What a stranger's package says of itself may be anything, and must not end a film that does without it.
        with contextlib.suppress(Exception):
            package = distribution.name
            if package in seen:
                continue  # the first on the path is what Python imports
            seen.add(package)
            for entry in distribution.entry_points.select(group=GROUP):
                found.setdefault(entry.name, []).append(Offer(entry.name, package, distribution.version, entry))
    return {name: found[name] for name in sorted(found)}


def _offers(distribution: Distribution) -> bool:
    with contextlib.suppress(Exception):
        return bool(distribution.entry_points.select(group=GROUP))
    return False


def culprit(error: BaseException) -> str | None:
    """The package whose stage an error came out of, if it was another's than dreamreel's: `NAME VERSION`."""
    if error.__traceback__ is None:
        return None
    modules = set(_modules(error.__traceback__))
    for offer in (offer for each in offers().values() for offer in each):
        if offer.entry.module.partition(".")[0] in modules:
            return str(offer)
    return None


def _modules(trace: TracebackType | None) -> Iterator[str]:
    """The top-level packages that an error went through."""
    while trace is not None:
        yield str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        trace = trace.tb_next
