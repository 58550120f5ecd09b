"""What `stages:` may list, by name: the stages, dreamreel's own and those of other packages, and `encode`."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.outputs import EncodeConfig
from pipeline.stages import STAGES, Entry, Role, StageConfig
from pipeline.stages.lookup import find_stage, known_names, stage_name

ENCODE = "encode"


def find_entry(name: str) -> type[Entry] | None:
    """The config that an entry of that name has; None where there is none. Raises PluginError as `find_stage` does."""
    if name == ENCODE:
        return EncodeConfig
    kind = find_stage(name)
    return None if kind is None else kind.config


def entry_names() -> list[str]:
    """Every name that `find_entry` knows, dreamreel's own first. Nothing is imported for it."""
    return [*STAGES, ENCODE, *(name for name in known_names() if not is_own(name))]


def is_own(name: str) -> bool:
    """Whether the name is dreamreel's own, which wins over those of other packages."""
    return name in STAGES or name == ENCODE


def entry_name(config: Entry) -> str:
    """The name that presets have for a config's kind."""
    if isinstance(config, StageConfig):
        return stage_name(config)
    assert isinstance(config, EncodeConfig)
    return ENCODE


def superseded(name: str, said: Collection[object]) -> frozenset[str]:
    """Which keys of such an entry go when those `said` get new values: those that can't stand beside them."""
    model = find_entry(name)
    keys = model.alternatives if model is not None and issubclass(model, StageConfig) else frozenset()
    return keys - frozenset(said) if keys & frozenset(said) else frozenset()


def begins_film(model: type[Entry]) -> bool:
    """Whether an entry of that kind is a source."""
    return issubclass(model, StageConfig) and model.role is Role.SOURCE
