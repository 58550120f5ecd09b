"""Films rendered, tried, steered, kept, branched, stopped and killed by a studio, which is killed too; the same bytes?

    python -m tests.torture_studio [--rounds 60] [--seed 0]

`make torture` runs it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.run.folder import RunFolder
from pipeline.studio.log import Tail
from tests.studio.server import PATIENCE, Page, studio
from tests.torture_branches import FRAMES, PRESETS, require_same_from_nothing

EDITS = {
    "zoom.zoom": (0.8, 1.5, "1.2 + 0.2 * sin(t)"),
    "zoom.rotate": (-30, "30 * t"),
    "dream.strength": (0.1, 0.6),
    "dream.layer": ("blocks.4.1", "blocks.2.1"),
    "dream.every": (1, 3),
    "palette.strength": (0.1, 0.8),
    "flow.half_life": (1, 3),
    "seed": (2, 5),
}
AT_WORK = ("rendering", "waiting")


class Torture:
    """What somebody impatient does to a folder of films."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._chance = folder, random.Random(seed)
        self._page: Page
        self._drafts: dict[str, str] = {}
        self.done: Counter[str] = Counter()

    def play(self, rounds: int) -> None:
        """So many things happen, in several lives of the studio; in the last one all renders come to rest."""
        actions = (self._render, self._branch, self._try, self._steer, self._keep, self._stop, self._resume, self._kill)
        while rounds:
            life = min(rounds, self._chance.randint(5, 20))
            rounds -= life
            with studio(self._folder) as self._page:
                self._drafts = {}
                for _ in range(life):
                    self._chance.choices(actions, (3, 3, 4, 6, 4, 2, 3, 3))[0]()
                    time.sleep(self._chance.uniform(0, 3))
                if rounds:
                    self.done["studio killed"] += 1
                    self._page.process.kill()
                    self._page.process.wait()
                else:
                    self._come_to_rest()

    def _ask(self, what: str, path: str, **asked: Any) -> Any:
        """What is answered, or None where it can't be now; files elsewhere may be opened."""
        answer = self._page.send(path, **asked)
        if answer.status == 409 and "opens" in answer.json:
            answer = self._page.send(path, **asked, opens=answer.json["opens"])
        assert answer.status in (200, 404, 409), (what, answer.status, answer.body)
        self.done[what if answer.status == 200 else f"{what} refused"] += 1
        return answer.json if answer.status == 200 else None

    def _runs(self, *states: str) -> list[dict[str, Any]]:
        runs = self._page.get("/api/state")["runs"]
        return [run for run in runs if not states or run["state"] in states]

    def _some(self, *states: str) -> dict[str, Any] | None:
        runs = self._runs(*states)
        return self._chance.choice(runs) if runs else None

    def _edited(self, text: str) -> str:
        """The text with one number or word changed, as a control does."""
        for key in self._chance.sample(sorted(EDITS), len(EDITS)):
            answer = self._page.send("/api/edit", text=text, key=key, value=self._chance.choice(EDITS[key]))
            if answer.status == 200 and not self._page.post("/api/check", text=answer.json["text"])["problems"]:
                self.done["edit"] += 1
                return str(answer.json["text"])
        return text

    def _render(self) -> None:
        self._ask("render", "/api/runs", text=self._chance.choice(PRESETS))

    def _branch(self) -> None:
        run = self._some()
        if run is not None and run["frames"]:
            text = self._edited(self._page.get(f"/api/runs/{run['id']}")["text"])
            frame = self._chance.randrange(min(run["frames"], FRAMES - 1) + 1)
            self._ask("branch", f"/api/runs/{run['id']}/branch", at=frame, text=text)

    def _try(self) -> None:
        run = self._some()
        if run is None or not run["frames"]:
            text, about = self._edited(self._chance.choice(PRESETS)), {}
        else:
            text = self._edited(self._page.get(f"/api/runs/{run['id']}")["text"])
            about = {"run": run["id"], "frame": self._chance.randrange(run["frames"])}
        begun = self._ask("draft", "/api/drafts", text=text, **about)
        if begun is not None:
            self._drafts[begun["id"]] = text

    def _steer(self) -> None:
        if self._drafts:
            draft = self._chance.choice(sorted(self._drafts))
            text = self._edited(self._drafts[draft])
            if self._ask("steer", f"/api/drafts/{draft}/steer", text=text) is not None:
                self._drafts[draft] = text

    def _keep(self) -> None:
        if self._drafts:
            draft = self._chance.choice(sorted(self._drafts))
            del self._drafts[draft]
            self._ask("keep", f"/api/drafts/{draft}/keep", name="kept")

    def _stop(self) -> None:
        run = self._some(*AT_WORK)
        if run is not None:
            self._ask("stop", f"/api/runs/{run['id']}/stop")

    def _resume(self) -> None:
        run = self._some("stopped", "failed")
        if run is not None:
            self._ask("resume", f"/api/runs/{run['id']}/resume")

    def _kill(self) -> None:
        run = self._some("rendering")
        folder = None if run is None else next(path for path in self.runs() if path.name == run["name"])
        pid = None if folder is None else Tail(folder / "run.jsonl").look().begun.get("pid")
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.done["kill"] += 1

    def _come_to_rest(self) -> None:
        for run in self._runs(*AT_WORK):
            self._page.send(f"/api/runs/{run['id']}/stop")
        until = time.monotonic() + PATIENCE
        while self._runs(*AT_WORK):
            assert time.monotonic() < until, self._runs(*AT_WORK)
            time.sleep(0.5)

    def runs(self) -> list[Path]:
        """All that have begun."""
        found = sorted((self._folder / "renders").iterdir())
        return [path for path in found if RunFolder(path).holds_run()]


def torture(folder: Path, rounds: int, seed: int) -> tuple[int, Counter[str]]:
    """So many things happen at random; then every run is finished and compared with its preset rendered from nothing.

    Returns how many these are, and what happened how often. Raises AssertionError when the bytes are others.
    """
    films = folder / "films"
    films.mkdir()
    played = Torture(films, seed)
    played.play(rounds)
    for run in played.runs():
        require_same_from_nothing(run, folder / "anew")
    return len(played.runs()), played.done


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs, done = torture(Path(folder), arguments.rounds, arguments.seed)
    print(f"{runs} runs of the studio's, each the bytes of its preset from nothing; {dict(done)}")


if __name__ == "__main__":
    sys.exit(main())
