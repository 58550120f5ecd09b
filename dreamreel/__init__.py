"""dreamreel: a video and infinite-zoom rendering pipeline for neural-network dreams.

import dreamreel

preset = dreamreel.load_preset("first-light", {"size": "320x180"})
for frame in dreamreel.frames(preset):
    frame.image                         # (1, 3, H, W) float32 in [0, 1], on the device
dreamreel.render(preset, "renders/mine", on_frame=lambda frame, spec: print(frame.index))

It is the package `pipeline` by the name that pip knows: what is here is the same there.
"""

import pipeline

TYPE_CHECKING = False  # as in `pipeline`
if TYPE_CHECKING:
    from pipeline import *  # noqa: F403  # one list of names, which the test holds against what is there

__all__ = []
__all__ += pipeline.__all__


def __getattr__(name: str) -> object:
    """As `pipeline` does, import torch only when something is used."""
    if name in __all__:
        return getattr(pipeline, name)
    raise AttributeError(f"module 'dreamreel' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
