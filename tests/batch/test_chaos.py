"""What the chaos counts by; it itself takes too long for here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chaos import frames_again

BEGUN = [{"event": "resume", "frame": 0}, {"frame": 0}, {"frame": 1}, {"event": "checkpoint", "frame": 2}, {"frame": 2}]


@pytest.mark.parametrize(("more", "again"), [([2, 3], 1), ([3], 0)])
def test_frames_past_the_newest_checkpoint_may_be_rendered_again(tmp_path: Path, more: list[int], again: int) -> None:
    log = tmp_path / "run.jsonl"
    log.write_text("\n".join(json.dumps(each) for each in [*BEGUN, *({"frame": frame} for frame in more)]))
    assert frames_again(log) == again


def test_a_frame_that_a_checkpoint_counted_may_not(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    log.write_text("\n".join(json.dumps(each) for each in [*BEGUN, {"frame": 1}]))
    with pytest.raises(AssertionError, match="frame 1 again, though 2 were saved"):
        frames_again(log)
