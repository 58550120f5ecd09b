"""`pipeline.api` by dreamreel's name: all that the author of a stage needs."""

from pipeline.api import *  # noqa: F403  # as in dreamreel
from pipeline.api import __all__ as __all__
