"""Many runs from one file: which, in which folders, how they stand, and rendering them side by side."""

from pipeline.batch.config import Batch, load_batch
from pipeline.batch.expand import Planned, expand
from pipeline.batch.planning import BatchFolder, Work

__all__ = ["Batch", "BatchFolder", "Planned", "Work", "expand", "load_batch"]
