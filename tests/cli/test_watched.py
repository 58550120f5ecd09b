"""What stops a watched render says how it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import typer

from pipeline.cli.render import watched
from pipeline.errors import StoppedWaiting, TroubleError
from pipeline.preset import load_preset
from pipeline.run import Options, Result


def test_trouble_after_ctrl_c_is_no_stop_in_good_order(small_preset: Path) -> None:
    """The last checkpoint may not have been saved."""

    def work(options: Options) -> Result:
        os.kill(os.getpid(), signal.SIGINT)
        assert options.should_stop()
        raise TroubleError("the disk is full")

    with pytest.raises(TroubleError, match="the disk is full"):
        watched(load_preset(small_preset), 30.0, False, work, 130)


def test_who_stops_waiting_has_stopped(small_preset: Path) -> None:
    def work(options: Options) -> Result:
        raise StoppedWaiting("stopped while it was waited")

    with pytest.raises(typer.Exit) as found:
        watched(load_preset(small_preset), 30.0, False, work, 75)
    assert found.value.exit_code == 75
