"""`pipeline.testing` by dreamreel's name: what every stage is tried with."""

from pipeline.testing import *  # noqa: F403  # as in dreamreel
from pipeline.testing import __all__ as __all__
