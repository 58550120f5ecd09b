"""Attempts that go wrong as no exception tells, to try the worker's watch with."""

from __future__ import annotations

import os
import signal
import time

from tests.fuzz.case import Case
from tests.fuzz.trial import Fault
from tests.fuzz.worker import Announce


def nothing() -> None:
    """No preparation."""


def waits(case: Case, announce: Announce) -> list[Fault]:
    """For what never comes."""
    announce("check a.yaml")
    time.sleep(1000)
    return []


def works_on(case: Case, announce: Announce) -> list[Fault]:
    """Without end."""
    announce("check a.yaml")
    while True:
        pass


def swells(case: Case, announce: Announce) -> list[Fault]:
    """Past all bounds."""
    announce("check a.yaml")
    held = [bytes(b"x" * 400_000_000)]
    time.sleep(1000)
    return [Fault("it goes on", "")] if held else []


def dies(case: Case, announce: Announce) -> list[Fault]:
    """As after a bad access in a library."""
    announce("check a.yaml")
    os.kill(os.getpid(), signal.SIGSEGV)
    return []
