"""What a run took for itself at the beginning holds, or resume says which does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import pipeline
from pipeline import checkpoint
from pipeline.engines import build, choose
from pipeline.errors import DeviceError, RunError
from pipeline.preset import Override, Preset, load_preset
from tests.run.quick import quick, stop_after

STAGES = """\
stages:
  - stage: noise
  - {stage: dream, octaves: 1, steps: 1, first_steps: 2, layer: blocks.1.0, engine: packed, precision: float32}
  - {stage: encode, preset: ultrafast}
"""
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path, stages=STAGES, more="").model_copy(update={"name": "pinned"})


def stopped(preset: Preset, run: Path) -> Path:
    pipeline.render(preset, run, options=stop_after(3))
    return run


def failing_once(patch: pytest.MonkeyPatch, error: Exception) -> None:
    real, left = build.PackedEngine, [error]

    def built(*arguments: Any) -> Any:
        if left:
            raise left.pop()
        return real(*arguments)

    patch.setattr(build, "PackedEngine", built)


@pytest.mark.parametrize("error", NO_MEMORY, ids=["device", "host"])
def test_an_engine_without_memory_is_no_other_engine(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    run = stopped(preset, tmp_path / "run")
    failing_once(monkeypatch, error)
    with pytest.raises(DeviceError, match=r"out of memory.*\n.*dreamreel resume"):
        pipeline.resume(run)
    assert pipeline.report(run).frames == 3
    assert pipeline.resume(run).path.read_bytes() == pipeline.render(preset, tmp_path / "whole").path.read_bytes()


def test_an_engine_that_can_not_be_built_any_more_is_told(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped(preset, tmp_path / "run")
    failing_once(monkeypatch, RuntimeError("no such operator"))
    with pytest.raises(RunError, match=r"can't be had now:\n  stages\[1\]\.engine: packed -> reference"):
        pipeline.resume(run)
    assert pipeline.resume(run).finished


def test_what_stood_in_at_the_beginning_is_kept(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing_once(patch, RuntimeError("no such operator"))
        run = stopped(preset, tmp_path / "run")
    assert "engine: reference" in (run / "preset.yaml").read_text()
    assert pipeline.resume(run).finished  # with the reference, though the packed engine is there again


def test_memory_that_runs_out_in_a_probe_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = STAGES.replace("engine: packed, ", "")
    preset = quick(tmp_path, stages=text)
    with monkeypatch.context() as patch:
        failing_once(patch, torch.OutOfMemoryError("CUDA out of memory"))
        pipeline.render(preset, tmp_path / "one", options=stop_after(1))
    assert not choose.cache_file().exists()
    pipeline.render(preset, tmp_path / "two", options=stop_after(1))
    assert choose.cache_file().exists()


def test_the_budget_of_the_beginning_is_kept(preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(preset, tmp_path / "run")
    pinned = load_preset(run / "preset.yaml").stages[1]
    assert pinned.memory.endswith("MB")  # type: ignore[attr-defined]
    monkeypatch.setattr("os.sysconf", lambda name: 4096)  # a machine with 16 MB
    seen: list[int] = []
    from pipeline.stages import Dream

    call = Dream.__call__

    def watched(self: Dream, *arguments: Any) -> Any:
        seen.append(self.dreamer.engine.budget or 0)
        return call(self, *arguments)

    monkeypatch.setattr(Dream, "__call__", watched)
    assert pipeline.resume(run).finished
    assert {f"{budget // 10**6}MB" for budget in seen} == {pinned.memory}  # type: ignore[attr-defined]


def test_a_budget_that_shrank_on_the_way_is_carried_on(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.stages import Dream

    call, budgets = Dream.__call__, []

    def shrinking(self: Dream, frame: Any, ctx: Any) -> Any:
        if ctx.index == 1:
            self.dreamer.engine.budget = 10**6
        budgets.append((ctx.index, self.dreamer.engine.budget))
        return call(self, frame, ctx)

    monkeypatch.setattr(Dream, "__call__", shrinking)
    run = stopped(preset, tmp_path / "run")
    pipeline.resume(run)
    assert dict(budgets)[20] == 10**6


def test_the_device_of_the_beginning_is_kept(preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auto = load_preset(str(preset.origin), [Override("device", "auto")])
    run = stopped(auto, tmp_path / "run")
    assert load_preset(run / "preset.yaml", checked=False).device in ("cpu", "cuda")
    text = (run / "preset.yaml").read_text()
    (run / "preset.yaml").write_text(text.replace("device: cpu", "device: cuda:7"))
    for path in (run / "state").glob("*.json"):
        found = checkpoint.load(run / "state", int(path.stem))
        found.facts["preset"]["device"] = "cuda:7"
        checkpoint.save(run / "state", found)
    with pytest.raises(RunError, match="begun on the device 'cuda:7', which is not there"):
        pipeline.resume(run)


def test_as_many_threads_of_both_libraries(preset: Preset, tmp_path: Path) -> None:
    import cv2

    run = stopped(preset, tmp_path / "run")
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    seen: set[int] = set()
    try:
        pipeline.resume(run, lambda frame, spec: seen.add(cv2.getNumThreads()))
        assert seen == {before} and cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_the_convolution_inside_an_engine_is_pinned_too(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.engines import packed

    run = stopped(preset, tmp_path / "run")
    real = packed.has_packed_convolution
    monkeypatch.setattr(packed, "has_packed_convolution", lambda dtype: not real(dtype))
    with pytest.raises(
        RunError, match=r"can't be had now:\n  dream\.convolution: (prepacked -> public|public -> prep)"
    ):
        pipeline.resume(run)


def test_memory_that_runs_out_is_no_answer_about_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.engines import convolution

    def hungry(dtype: torch.dtype) -> bool:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(convolution, "_probe_packed_convolution", hungry)
    with pytest.raises(torch.OutOfMemoryError):
        convolution.has_packed_convolution(torch.float64)
    monkeypatch.undo()
    convolution.has_packed_convolution(torch.float64)  # asked again, it is probed again


def test_no_engine_is_chosen_anew_at_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_layer(backbone: Any, objective: Any, size: Any, engine: str, precision: str) -> choose.EngineChoice:
        fastest = "folded" if "blocks.1.0" in backbone.layers else "packed"
        return choose.EngineChoice(fastest if engine == "auto" else engine, "float32")  # type: ignore[arg-type]

    monkeypatch.setattr("pipeline.dreamer.choose_engine", by_layer)
    stages = STAGES.replace("engine: packed, precision: float32", "engine: auto")
    preset = quick(tmp_path, stages=stages, more="changes: [{at: 1s, set: {dream.layer: blocks.1.1}}]\n")
    whole = pipeline.render(preset, tmp_path / "whole").path.read_bytes()
    pipeline.render(preset, tmp_path / "run", options=stop_after(8))
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole
    # Nor by a chain without a run, whose frames are the same.
    pinned = load_preset(tmp_path / "run/preset.yaml")
    for one, other in zip(pipeline.frames(preset), pipeline.frames(pinned), strict=True):
        assert torch.equal(one.image, other.image)
