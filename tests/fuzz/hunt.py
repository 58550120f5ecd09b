"""Trying many cases, and making what fails as small as it gets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from tests.fuzz.case import Case
from tests.fuzz.trial import Fault

Try = Callable[[Case], list[Fault]]
_AT_ONCE = 100  # cases between two looks at the clock
_MOST_SHRINKING = 80  # cases, and
_MOST_SHRINKING_SECONDS = 60.0


class _Found(Exception):
    """Ends a case that fails as the first one did."""


class _Enough(KeyboardInterrupt):
    """Ends the search for a smaller case: Hypothesis lets it pass."""


@dataclass
class Hunt:
    """Tries cases with `attempt` and hands every new kind of fault to `found`, with its smallest case."""

    attempt: Try
    found: Callable[[Case, Fault], None]
    seed: int
    known: set[str] = field(default_factory=set)
    tried: int = 0
    """cases so far, without those that made others smaller"""

    def __call__(self, cases: SearchStrategy[Case], count: int, on_chunk: Callable[[int], bool]) -> None:
        """Try `count` cases; `on_chunk` hears how many there were every now and then, and may end it with False."""
        end = self.tried + count
        rounds = 0
        while self.tried < end:
            before = self.tried
            self._round(cases, min(_AT_ONCE, end - self.tried), self.seed * 1_000_003 + rounds)
            rounds += 1
            if not on_chunk(self.tried - (end - count)) or self.tried == before:
                return

    def _round(self, cases: SearchStrategy[Case], count: int, number: int) -> None:
        first: list[tuple[Case, Fault, float]] = []
        smallest: list[tuple[Case, Fault]] = []
        shrinking = 0

        @seed(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )
        @given(cases)
        def one(case: Case) -> None:
            nonlocal shrinking
            if first:
                shrinking += 1
                late = time.monotonic() - first[0][2] > _MOST_SHRINKING_SECONDS
                if shrinking > _MOST_SHRINKING or late:
                    raise _Enough
            else:
                self.tried += 1
            faults = [fault for fault in self.attempt(case) if fault.signature not in self.known]
            same = [fault for fault in faults if not first or fault.signature == first[0][1].signature]
            if same:
                if not first:
                    first.append((case, same[0], time.monotonic()))
                smallest.append((case, same[0]))
                raise _Found

        try:
            one()
        except (_Found, _Enough, Flaky):
            case, fault = min(smallest, key=lambda pair: len(pair[0].to_json()))
            self.known.add(fault.signature)
            self.found(case, fault)
