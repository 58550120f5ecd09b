"""What a preset says of the packages that its stages come from, held against what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipeline.plugins import offers
from pipeline.preset.entries import is_own
from pipeline.stages.lookup import package_of_stage


def wrong_package(name: str, plugins: object, found: bool) -> str | None:
    """What keeps a stage, `found` or not, from being the one that the preset's `plugins` want; None if nothing does."""
    wanted = plugins.get(name) if isinstance(plugins, dict) else None
    if not isinstance(wanted, str):
        return None
    install = f"pip install {wanted}"
    if not found:
        return f"the stage {name!r} is not here; it comes with the package {wanted}: {install}"
    offer, meant = package_of_stage(name), f"{name!r} is meant to come from {wanted}"
    if offer is None:
        return f"{meant}, but is dreamreel's own here; take it out of `plugins` to use that"
    if _canonical(wanted.partition("==")[0]) != _canonical(offer.package):
        return f"{meant}, but comes from {offer} here; remove that, and {install}"
    return None


def shadowed(names: Iterable[str]) -> Iterator[str]:
    """A sentence for each of the stages that is dreamreel's own though a package offers one of that name, too."""
    offered = offers()
    for name in dict.fromkeys(names):
        for offer in offered.get(name, []) if is_own(name) else []:
            yield f"the stage {name!r} is dreamreel's own; that of the package {offer} is not used"


def _canonical(package: str) -> str:
    """One spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()
