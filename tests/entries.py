"""What `stages:` may list, for tests that try each."""

from pipeline.outputs import EncodeConfig
from pipeline.preset.entries import ENCODE
from pipeline.stages import STAGES, Entry

ENTRIES: dict[str, type[Entry]] = {**{name: kind.config for name, kind in STAGES.items()}, ENCODE: EncodeConfig}
"""dreamreel's own, by name"""
