"""Runs: a render in a folder of its own that can be killed at any moment and goes on to the same bytes."""

from pipeline.run.branching import branch
from pipeline.run.options import Options, Result
from pipeline.run.proceeding import proceed
from pipeline.run.session import plan, render, resume
from pipeline.run.status import Report, assemble, report

__all__ = ["Options", "Report", "Result", "assemble", "branch", "plan", "proceed", "render", "report", "resume"]
