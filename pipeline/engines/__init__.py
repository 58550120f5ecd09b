"""Gradients of objectives with respect to pictures, as fast as the machine allows."""

from pipeline.engines.ascent import climb, climb_octaves
from pipeline.engines.base import Engine, EngineChoice
from pipeline.engines.build import build_engine
from pipeline.engines.choose import EngineKey, PrecisionKey, choose_engine
from pipeline.engines.plan import Climb
from pipeline.engines.tiles import TiledEngine, memory_budget, memory_text, parse_memory

__all__ = [
    "Climb",
    "Engine",
    "EngineChoice",
    "EngineKey",
    "PrecisionKey",
    "TiledEngine",
    "build_engine",
    "choose_engine",
    "climb",
    "climb_octaves",
    "memory_budget",
    "memory_text",
    "parse_memory",
]
