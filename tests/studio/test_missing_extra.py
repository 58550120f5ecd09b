"""Without the extra, the command says what to install."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from pipeline.cli.commands import run_command


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "uvicorn" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    assert run_command(["studio", "--no-browser"]) == 1
    said = capsys.readouterr().err
    assert "needs uvicorn, which is not installed: pip install 'dreamreel[studio]'" in said
