"""Directions of one's own: what pictures are made of to a layer of a network, and an atlas of that."""

from pipeline.learn.learning import Learnt, learn
from pipeline.learn.plates import direction_entries, direction_plates

__all__ = ["Learnt", "direction_entries", "direction_plates", "learn"]
