"""Looking a stage up by the name presets use: dreamreel's own, else what an installed package offers under it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.errors import PipelineError, reason_of
from pipeline.plugins import Offer, offers
from pipeline.stages import STAGES, Effect, Role, Source, Stage, StageConfig, StageType
from pipeline.stages.spec import RunSpec

_NAME, _NAME_HELP = re.compile(r"[a-z][a-z0-9_-]{0,63}"), "small letters, digits, - and _"
_MENDED = "mend or remove the package"
_loaded: dict[str, Plugin] = {}


@dataclass(frozen=True)
class Plugin:
    """A stage of another package that can be used, and who offers it."""

    offer: Offer
    kind: StageType


class PluginError(PipelineError):
    """A package offers a stage that can't be used; the message names both."""


def find_stage(name: str) -> StageType | None:
    """The stage of that name; None where there is none. Raises PluginError for a package's that can't be used.

    dreamreel's own names win, and only other names have a package imported, which is done once.
    """
    if name in STAGES:
        return STAGES[name]
    plugin = _find_plugin(name)
    return None if plugin is None else plugin.kind


def known_names() -> list[str]:
    """Every name that `find_stage` knows, dreamreel's own first. Nothing is imported for it."""
    return [*STAGES, *(name for name in offers() if name not in STAGES)]


def stage_name(config: StageConfig) -> str:
    """The name that presets have for a config's kind."""
    return next(name for name, kind in _known().items() if kind.config is type(config))


def build_stage(config: StageConfig, spec: RunSpec) -> Stage[StageConfig]:
    """The stage that a config describes, in a run."""
    return _known()[stage_name(config)].build(config, spec)


def package_of_stage(name: str) -> Offer | None:
    """The package that a stage which was found before comes from; None for dreamreel's own."""
    return None if name in STAGES or name not in _loaded else _loaded[name].offer


def _known() -> dict[str, StageType]:
    return STAGES | {name: plugin.kind for name, plugin in _loaded.items()}


def _find_plugin(name: str) -> Plugin | None:
    if name not in _loaded:
        offered = offers().get(name, [])
        if len(offered) > 1:
            who = " and ".join(str(offer) for offer in offered)
            raise PluginError(f"the stage {name!r} is offered by {who}; keep one of these packages")
        if not offered:
            return None
        _loaded[name] = Plugin(offered[0], _load(offered[0]))
    return _loaded[name]


def _load(offer: Offer) -> StageType:
    """Import what a package offers. Raises PluginError for all that is wrong with it."""
    found: object = None
    try:
        wrong = None if _NAME.fullmatch(offer.name) else f"its name must be {_NAME_HELP}"
        if wrong is None:
            found = offer.entry.load()
            wrong = _what_is_wrong(found)
    except (Exception, SystemExit) as error:
        kind, reason = type(error).__name__, reason_of(error)
        wrong = kind if reason == kind else f"{kind}: {reason}"
    if wrong is not None:
        raise PluginError(f"the stage {offer.name!r} of the package {offer} can't be used: {wrong}; {_MENDED}")
    assert isinstance(found, StageType)
    return found


def _what_is_wrong(found: object) -> str | None:
    """What keeps something from being a stage, if anything does."""
    if not isinstance(found, StageType):
        return f"its entry point is of type {type(found).__name__}, must be a pipeline.api.StageType"
    config, build = found
    if not (isinstance(config, type) and issubclass(config, StageConfig)):
        return "its config is no class made from StageConfig"
    if config is StageConfig or any(kind.config is config for kind in _known().values()):
        return f"its config {config.__name__} is another stage's too; a stage needs a config class of its own"
    if "stage" in config.model_fields:
        return "its config has a key `stage`, which says in presets which stage it is"
    base = {Role.SOURCE: Source, Role.EFFECT: Effect}.get(config.role)
    if base is None:
        return f"its role is {config.role}, must be a source or an effect"
    if not (isinstance(build, type) and issubclass(build, base)):
        return f"its config is one of a {config.role.value}, and its stage no class made from {base.__name__}"
    config.model_rebuild()  # raises where a field's type is not known
    return None
