"""A short hunt, the same in every run; `make fuzz` is the long one. And what earlier hunts found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

from pipeline.preset import parse_preset
from tests.fuzz import troubles
from tests.fuzz.__main__ import AREAS
from tests.fuzz.case import Case, Special
from tests.fuzz.hunt import Hunt
from tests.fuzz.trial import Fault, Outcome, judge
from tests.fuzz.worker import Attempt, Worker

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
SHORT = {"presets": 150, "media": 30, "runs": 8}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One process for all of them: its imports take longer than most cases."""
    made = Worker()
    yield made
    made.close()


@pytest.mark.parametrize("area", SHORT)
def test_a_short_hunt(area: str, worker: Worker) -> None:
    faults: list[Fault] = []
    hunt = Hunt(worker, lambda case, fault: faults.append(fault), seed=1)
    hunt(AREAS[area](), SHORT[area], lambda tried: True)
    assert faults == []
    assert hunt.tried == SHORT[area]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_found_before(path: Path, worker: Worker) -> None:
    assert worker(Case.from_json(path.read_text())) == []


def test_a_case_is_written_and_read() -> None:
    files = {"a.yaml": "é: 1".encode(), "b.png": b"\x89\xff", "c": Special("fifo"), "d": Special("link", "x")}
    case = Case("preset", ((("check", "a.yaml"),),), files, ("a.yaml",), True)
    assert Case.from_json(case.to_json()) == case


CASE = Case("preset", ((("check", "a.yaml"),),), {}, ("a.yaml",))


@pytest.mark.parametrize(
    ("attempt", "signature"),
    [
        (troubles.waits, "preset: check takes more than 1 s"),
        (troubles.works_on, "preset: check takes more than 1 s"),
        (troubles.swells, "preset: check takes more than 0.3 GB"),
        (troubles.dies, "preset: the process dies (-11) in check"),
    ],
)
def test_the_worker_sees_what_no_exception_tells(attempt: Attempt, signature: str) -> None:
    worker = Worker(attempt, troubles.nothing, most_seconds=1, most_bytes=3e8)
    found = [worker(CASE), worker(CASE)]  # the second one in a new process
    worker.close()
    assert [[fault.signature for fault in faults] for faults in found] == [[signature]] * 2


@pytest.mark.parametrize(
    ("status", "errors", "signature"),
    [
        (1, "a.yaml:3: fps: is 0, must be more", None),
        (1, "", "preset: check fails without a word"),
        (1, "is 0, must be more", "preset: check names no file or key: is *, must be more"),
        (1, "a.yaml: \x1b[31m", "preset: check prints control characters"),
        (1, "a.yaml: <class 'int'>", "preset: check shows its innards: a.yaml: <class *>"),
        (0, "x.py:3: RuntimeWarning: overflow", "preset: check shows its innards: x.py:*: RuntimeWarning: overflow"),
        (2, "a.yaml", "preset: check ends with status 2"),
        (130, "a.yaml", "preset: check ends with status 130"),
    ],
)
def test_what_a_refusal_must_be(status: int, errors: str, signature: str | None) -> None:
    found = judge(CASE, Outcome(("check", "a.yaml"), status, "", errors, None, False))
    assert [fault.signature for fault in found] == ([] if signature is None else [signature])


def test_a_traceback_is_a_fault_of_its_place(tmp_path: Path) -> None:
    try:
        parse_preset("a", folder=5)  # type: ignore[arg-type]
    except Exception as error:
        found = list(judge(CASE, Outcome(("check", "a.yaml"), 3, "", "", error, False)))
    assert [fault.signature for fault in found] == ["preset: PresetError in preset/whole.py (read_whole)"]


def test_a_fault_is_found_once_and_made_small() -> None:
    found: list[Case] = []
    cases = st.text("ab", max_size=20).map(lambda text: Case("preset", (), {"a": text.encode()}, ()))
    hunt = Hunt(
        lambda case: [Fault("bb", "")] if b"bb" in case.files["a"] else [], lambda c, f: found.append(c), seed=3
    )
    hunt(cases, 300, lambda tried: True)
    assert [case.files["a"] for case in found] == [b"bb"]
    assert hunt.tried == 300
