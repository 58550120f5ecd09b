"""Run folders that were interrupted, copied, cleaned up, edited and half restored."""

from __future__ import annotations

import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from pipeline.disk import digest_of
from pipeline.run.lease import MOST_BEAT_SECONDS
from tests.fuzz.case import Case, Entry, Special
from tests.fuzz.damage import Draw, damaged, rewritten
from tests.fuzz.words import junk

PRESET = """\
name: small
size: 32x32
fps: 4
duration: 13f
device: cpu
stages:
  - {stage: image, path: p.png}
  - {stage: zoom, zoom: 1.5, rotate: {0s: 20, 1s: 0}}
  - {stage: dream, layer: blocks.2.1, octaves: 1, steps: 1, first_steps: 1, engine: folded, precision: float32}
  - {stage: palette, to: seed}
  - {stage: hold, sharpness: first, settle: 2f}
  - {stage: encode, preset: ultrafast}
"""
RUN = "run"
CHAINS = ((("info", RUN),), (("plot", RUN),), (("assemble", RUN),), (("resume", RUN),), (("info", RUN),))
_STOPS_AT = 10
_EXTRA = [
    *(
        "state/7.json",
        "state/x.json",
        "state/000000099.json",
        "state/²²².json",
        "segments/000007.mp4",
        "segments/x.mp4",
    ),
    *("segments/²³.mp4", "segments/000001.part-99.mp4", "small.part-99.mp4", "small-silent.part-9.mp4", "small.mp4"),
    *("plot.png", "poster.png", "sheet.png", ".lock", ".lease", "run.jsonl", "preset.yaml", "state", "segments"),
]
_ODD: list[Entry] = [
    *(b"", b"{}", b"[]", b"junk\n", b"\xff\xfe"),
    *(
        Special("folder"),
        Special("fifo"),
        Special("link", "/dev/null"),
        Special("link", "no/where"),
        Special("link", "."),
    ),
]


@cache
def whole() -> dict[str, bytes]:
    """The files of a run that was stopped in its second segment."""
    from pipeline.preset import load_preset
    from pipeline.run import Options, render
    from tests.fuzz import specimens

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "p.png").write_bytes(specimens.pictures()["rgb.png"])
        (folder / "mine.yaml").write_text(PRESET)
        seen: list[int] = []
        options = Options(
            on_frame=lambda frame, spec: seen.append(frame.index),
            should_stop=lambda: len(seen) >= _STOPS_AT,
            checkpoint_seconds=0,
        )
        render(load_preset(folder / "mine.yaml"), folder / RUN, options=options)
        found = {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
        # The folder it was made in is gone; one such as people have stands in its place.
        return {name: data.replace(str(folder).encode(), b"/tmp/nowhere") for name, data in found.items()}


@st.composite
def harmed(draw: Draw) -> Case:
    """The run after one or two things happened to it."""
    files: dict[str, Entry] = dict(whole())
    for _ in range(draw(st.integers(1, 2))):
        happened = [_lose, _harm, _harm, _rewrite, _log, _log, _resign, _resign, _resign, _add, _replace, _lease]
        draw(st.sampled_from(happened))(draw, files)
    return Case("run", CHAINS, files, (RUN, "small", "mine.yaml", "p.png"))


def _some(draw: Draw, files: dict[str, Entry], pattern: str = r"run/") -> str | None:
    names = sorted(name for name, entry in files.items() if re.match(pattern, name) and isinstance(entry, bytes))
    return draw(st.sampled_from(names)) if names else None


def _lose(draw: Draw, files: dict[str, Entry]) -> None:
    name = _some(draw, files, "")
    if name is not None:
        del files[name]


def _harm(draw: Draw, files: dict[str, Entry]) -> None:
    name = _some(draw, files)
    if name is not None:
        files[name] = damaged(draw, files[name])


def _rewrite(draw: Draw, files: dict[str, Entry]) -> None:
    entry = files.get(f"{RUN}/preset.yaml")
    if isinstance(entry, bytes):
        text = rewritten(draw, entry.decode(errors="replace"))
        files[f"{RUN}/preset.yaml"] = text.encode(errors="surrogatepass")


def _log(draw: Draw, files: dict[str, Entry]) -> None:
    """A line of the log that says something else."""
    entry = files.get(f"{RUN}/run.jsonl")
    lines = entry.splitlines(keepends=True) if isinstance(entry, bytes) else []
    if not lines:
        return
    at = draw(st.integers(0, len(lines) - 1))
    try:
        changed = _changed(draw, json.loads(lines[at]))
    except ValueError:
        return
    lines[at] = json.dumps(changed).encode() + b"\n"
    files[f"{RUN}/run.jsonl"] = b"".join(lines)


def _resign(draw: Draw, files: dict[str, Entry]) -> None:
    """A checkpoint that says or holds something else and whose digests are right, as of a version to come."""
    name = _some(draw, files, r"run/state/\d+\.json")
    if name is None:
        return
    entry, tensors = files[name], files.get(name.removesuffix("json") + "safetensors")
    try:
        record = json.loads(entry) if isinstance(entry, bytes) else None
    except ValueError:
        return
    if not isinstance(record, dict):
        return
    record.pop("digest", None)
    if isinstance(tensors, bytes) and draw(st.booleans()):
        files[name.removesuffix("json") + "safetensors"] = tensors = damaged(draw, tensors)
        record["tensors_digest"] = digest_of(tensors)
    else:
        record = _changed(draw, record)
    if isinstance(record, dict):
        record["digest"] = digest_of(json.dumps(record, sort_keys=True).encode())
    files[name] = json.dumps(record).encode()


def _changed(draw: Draw, value: Any) -> Any:
    """Plain data with one value somewhere in it lost, or something else."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 5)) == 0:
            return {name: each for name, each in value.items() if name != key}
        return value | {key: _changed(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _changed(draw, value[at]), *value[at + 1 :]]
    return draw(junk())


def _add(draw: Draw, files: dict[str, Entry]) -> None:
    """Something that is no part of a run, or of another one."""
    name = f"{RUN}/{draw(st.sampled_from(_EXTRA))}"
    if name not in files and not any(each.startswith(f"{name}/") for each in files):
        files[name] = _anything(draw, files)


def _lease(draw: Draw, files: dict[str, Entry]) -> None:
    """What a process left that died here or elsewhere; or something like it. It is waited for briefly."""
    left: Any = {
        **{"number": 3, "token": "1f" * 16, "host": "render7", "pid": 4242, "machine": "5b0e pid:[4026531836]"},
        **{"started": 123456, "beat_seconds": 0.01, "displaces": draw(st.booleans())},
    }
    if draw(st.booleans()):
        left = _changed(draw, left)
    if (
        isinstance(left, dict)
        and isinstance(beat := left.get("beat_seconds"), int | float)
        and 0 < beat <= MOST_BEAT_SECONDS
    ):
        left["beat_seconds"] = 0.01
    data = json.dumps(left).encode()
    files[f"{RUN}/.lease"] = damaged(draw, data) if draw(st.integers(0, 3)) == 0 else data


def _replace(draw: Draw, files: dict[str, Entry]) -> None:
    """Another thing where a file was."""
    name = _some(draw, files)
    if name is not None:
        files[name] = _anything(draw, files)


def _anything(draw: Draw, files: dict[str, Entry]) -> Entry:
    name = _some(draw, files) if draw(st.booleans()) else None
    return files[name] if name is not None else draw(st.sampled_from(_ODD))
