"""The engine of a choice."""

from __future__ import annotations

from pipeline.backbones import Backbone
from pipeline.backbones.tape import UnsupportedNetwork
from pipeline.device import is_out_of_memory
from pipeline.engines.base import Engine, EngineChoice, log
from pipeline.engines.eightbit import EightBitEngine
from pipeline.engines.folded import FoldedEngine
from pipeline.engines.graph import GraphEngine
from pipeline.engines.packed import PackedEngine
from pipeline.engines.reference import Reference


def build_engine(backbone: Backbone, choice: EngineChoice) -> Engine:
    """The engine of a choice; the reference, with a line in the log, where the network does not allow it.

    Raises what torch raises when memory runs out: that says nothing about the network, and the next try may be right.
    """
    try:
        if choice.engine == "folded" or (choice.engine == "graph" and backbone.device.type != "cuda"):
            return FoldedEngine(backbone, choice.precision)
        if choice.engine == "packed":
            int8 = choice.precision == "int8"
            return EightBitEngine(backbone) if int8 else PackedEngine(backbone, choice.precision)
        if choice.engine == "graph":
            return GraphEngine(backbone, choice.precision)
    except (UnsupportedNetwork, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        # Operators that lack a bfloat16 form, or shapes that a recorded pass can't take, end here too.
        log.warning("%s: the %s engine can't run it, the reference does: %s", backbone.recipe.name, choice, error)
    return Reference(backbone)
