"""Presets: YAML in, a validated model out; every error says where and what to do."""

from pipeline.preset.begun import begun_with
from pipeline.preset.load import load_preset, parse_preset
from pipeline.preset.model import Preset
from pipeline.preset.overrides import Override
from pipeline.preset.scene import Scene
from pipeline.preset.shelf import find_preset, shelf
from pipeline.preset.written import plain_yaml

__all__ = [
    "Override",
    "Preset",
    "Scene",
    "begun_with",
    "find_preset",
    "load_preset",
    "parse_preset",
    "plain_yaml",
    "shelf",
]
