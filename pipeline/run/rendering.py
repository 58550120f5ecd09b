"""The loop of a run: frame after frame out of the chain, handed to every output, with checkpoints in between."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from pipeline.activity import report
from pipeline.chain import Chain, clock
from pipeline.device import HostCopies
from pipeline.frame import Frame, Pass
from pipeline.media.behind import Behind
from pipeline.outputs import Beside
from pipeline.run.facts import PREVIOUS, Found
from pipeline.run.options import Options, Result
from pipeline.run.recorder import Recorder
from pipeline.stages import EndOfFootage


@dataclass(frozen=True)
class Rendering:
    """What one process makes of a run, from where it stands to its end or a stop."""

    chain: Chain
    recorder: Recorder
    recording: Behind
    """the recorder's thread; what goes wrong there ends the loop"""
    beside: Sequence[Beside]
    options: Options
    result: Result
    """counts what was made"""
    facts: Mapping[str, Any]
    began: float
    """on time.perf_counter's clock, less what the run took before"""
    keep_every: int | None
    """frames between two checkpoints that stay; None: none does"""
    most_unsaved: int
    """on a fast device, a checkpoint comes after so many frames whatever the clock says: it lets spools go, which
    bounds the disk"""

    def run(self, found: Found | None) -> None:
        """Render from a checkpoint, or from the first frame, until the film ends or is to be stopped."""
        chain, result = self.chain, self.result
        copies = HostCopies(chain.spec.device, deep=self.recorder.deep)
        index, previous = (chain.first, None) if found is None else (found.frame, found.restore(chain))
        saved, saved_at = index, time.perf_counter()
        while index != chain.spec.frames and not self.options.should_stop():
            began = time.perf_counter()
            try:
                made = chain.step(index, previous)
            except EndOfFootage:
                result.finished = True
                break
            self._hand_out(made, copies)
            index, previous = index + 1, made.feedback
            now = time.perf_counter()
            # Early by a frame's time, for the work that would be lost while the next one is made.
            due = now - saved_at + (now - began) >= self.options.checkpoint_seconds
            if due or self._is_kept(index) or self._much_is_unsaved():
                self._save(previous, index)
                saved, saved_at = index, now
        result.finished = result.finished or index == chain.spec.frames
        if previous is not None and (result.finished or chain.spec.frames is None):
            report("encoding the last frames")
            self.recording.put(self.recorder.finish)
        if previous is not None and index != saved:
            self._save(previous, index)

    def _hand_out(self, made: Pass, copies: HostCopies) -> None:
        """Give a frame to whoever sees it; one of the lead-in is only told of."""
        spec = self.chain.spec
        if made.index < 0:
            self._add(made.times)
            self.options.on_lead_in(made.index + 1 + spec.lead_in, spec.lead_in)
            return
        pixels = copies(made.image)
        with clock(made.times, "waiting"):
            self.recording.put(partial(self.recorder.put, Frame(made, pixels)))
            for each in self.beside:
                each.put(Frame(made, pixels))
        self._add(made.times)
        self.result.frames += 1
        self.result.rendered += 1
        self.options.on_frame(Frame(made, pixels), spec.shown)

    def _add(self, times: Mapping[str, float]) -> None:
        for stage, seconds in times.items():
            self.result.times[stage] = self.result.times.get(stage, 0.0) + seconds

    def _is_kept(self, frame: int) -> bool:
        return self.keep_every is not None and frame >= 0 and frame % self.keep_every == 0

    def _much_is_unsaved(self) -> bool:
        return self.result.rendered > 0 and self.result.rendered % self.most_unsaved == 0

    def _save(self, previous: Tensor, frame: int) -> None:
        tensors = {PREVIOUS: previous.detach().to("cpu", copy=True), **self.chain.state_dict()}
        facts = {
            **self.facts,
            "built": self.chain.fingerprints(),
            "seconds": round(time.perf_counter() - self.began, 3),
        }
        self.recording.put(partial(self.recorder.save, frame, tensors, facts, self._is_kept(frame)))
