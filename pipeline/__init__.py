"""dreamreel: a video and infinite-zoom rendering pipeline for neural-network dreams.

`import dreamreel` says how it is used; what is public is here, in `pipeline.api` and in `pipeline.testing`.
"""

TYPE_CHECKING = False  # as in typing, which takes a while to import: a signal in the first moment finds no handler
if TYPE_CHECKING:
    from pipeline.chain import frames
    from pipeline.errors import PipelineError, PresetError
    from pipeline.frame import Frame
    from pipeline.outputs import Latest, Output
    from pipeline.preset import Override, Preset, load_preset, parse_preset
    from pipeline.run import Options, Report, Result, assemble, branch, render, report, resume
    from pipeline.studio.notebook import show

_HOMES = {
    "PipelineError": "pipeline.errors",
    "PresetError": "pipeline.errors",
    "Override": "pipeline.preset",
    "Preset": "pipeline.preset",
    "load_preset": "pipeline.preset",
    "parse_preset": "pipeline.preset",
    "Frame": "pipeline.frame",
    "Latest": "pipeline.outputs",
    "Output": "pipeline.outputs",
    "frames": "pipeline.chain",
    "show": "pipeline.studio.notebook",
    **dict.fromkeys(
        ("Options", "Report", "Result", "assemble", "branch", "render", "report", "resume"), "pipeline.run"
    ),
}

__all__ = [
    "Frame",
    "Latest",
    "Options",
    "Output",
    "Override",
    "PipelineError",
    "Preset",
    "PresetError",
    "Report",
    "Result",
    "assemble",
    "branch",
    "frames",
    "load_preset",
    "parse_preset",
    "render",
    "report",
    "resume",
    "show",
]


def __getattr__(name: str) -> object:
    """Import torch only when something of dreamreel's is used, so that `dreamreel --help` is instant."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pipeline' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
