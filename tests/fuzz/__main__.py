"""Try dreamreel with what strangers may bring, in numbers, and keep what it takes badly.

    python -m tests.fuzz [--presets 10000] [--media 1000] [--runs 300] [--minutes 60] [--seed N]
    python -m tests.fuzz --replay tests/fuzz/found/NAME.json

`make fuzz` runs it. Every case is tried by dreamreel's own commands in a process that is watched: no traceback, no
more than 20 s, no more than 2 GB, and a refusal that says what is wrong with which file. Exit status 1 if any is found.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from pathlib import Path

from tests.fuzz import media, presets, runs
from tests.fuzz.case import Case
from tests.fuzz.hunt import Hunt
from tests.fuzz.trial import Fault
from tests.fuzz.worker import Worker

FOUND = Path(__file__).parent / "found"
AREAS = {"presets": presets.everything, "media": media.harmed, "runs": runs.harmed}


def main() -> int:
    """Run from the command line; the exit status."""
    arguments = _arguments()
    if arguments.replay is not None:
        return replay(arguments.replay)
    chance = random.SystemRandom().randrange(2**31) if arguments.seed is None else arguments.seed
    print(f"seed {chance}", flush=True)
    worker, began = Worker(), time.monotonic()
    hunt = Hunt(worker, keep, chance)
    wanted = {name: getattr(arguments, name) for name in AREAS}
    try:
        for name, count in wanted.items():
            # What is left of the time is shared by what is left to do.
            left = 60 * arguments.minutes - (time.monotonic() - began)
            share = left * count / max(1, sum(list(wanted.values())[list(wanted).index(name) :]))
            end = time.monotonic() + share

            def on_chunk(tried: int, name: str = name, count: int = count, end: float = end) -> bool:
                faults = f"{len(hunt.known)} kinds of fault"
                print(f"{name}: {tried} of {count}, {faults}, {time.monotonic() - began:.0f} s", flush=True)
                return time.monotonic() < end

            if count:
                hunt(AREAS[name](), count, on_chunk)
    finally:
        worker.close()
    print(f"{hunt.tried} cases, {len(hunt.known)} kinds of fault in {time.monotonic() - began:.0f} s (seed {chance})")
    return 1 if hunt.known else 0


def keep(case: Case, fault: Fault) -> None:
    """Save a case that fails, and say how to see it again."""
    FOUND.mkdir(exist_ok=True)
    name = re.sub(r"[^a-zA-Z0-9]+", "-", fault.signature).strip("-")[:80]
    path = FOUND / f"{name}.json"
    path.write_text(case.to_json())
    print(
        f"\n{fault.signature}\n{fault.details}\n  python -m tests.fuzz --replay {path.relative_to(Path.cwd())}\n",
        flush=True,
    )


def replay(path: Path) -> int:
    """Try a saved case once more."""
    case, worker = Case.from_json(path.read_text()), Worker()
    faults = worker(case)
    worker.close()
    for name, entry in case.files.items():
        if isinstance(entry, bytes) and len(entry) < 4000 and entry.isascii():
            print(f"--- {name}\n{entry.decode()}")
    for fault in faults:
        print(f"\n{fault.signature}\n{fault.details}")
    print("nothing is wrong" if not faults else "")
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--presets", type=int, default=10000, help="how many presets, overrides and curves")
    parser.add_argument("--media", type=int, default=1000, help="how many damaged pictures, films and sounds")
    parser.add_argument("--runs", type=int, default=300, help="how many damaged run folders")
    parser.add_argument("--minutes", type=float, default=60, help="at most so long")
    parser.add_argument("--seed", type=int, help="of an earlier hunt, to have it once more")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try a case that was kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
