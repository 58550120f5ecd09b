"""One thing to try: files in a folder of their own, and what is done with them there."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Chain = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Special:
    """What stands where a file is looked for: `folder`, `fifo`, or a link to `target`."""

    kind: str
    target: str = ""


Entry = bytes | Special


@dataclass(frozen=True, repr=False)
class Case:
    """`chains` of commands, each ended by the first that fails; a refusal must name one of `named`.

    Where all files are `whole`, what `check` takes has to render.
    """

    area: str
    chains: tuple[Chain, ...]
    files: Mapping[str, Entry]
    named: tuple[str, ...]
    whole: bool = False

    def __repr__(self) -> str:
        """Short: Hypothesis prints cases, and files are long."""
        return f"Case({self.area!r}, {self.chains!r}, {list(self.files)!r})"

    def lay_out(self, folder: Path) -> None:
        """Write the files."""
        for name, entry in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(entry, bytes):
                path.write_bytes(entry)
            elif entry.kind == "folder":
                path.mkdir(exist_ok=True)
            elif entry.kind == "fifo":
                os.mkfifo(path)
            else:
                path.symlink_to(entry.target)

    def to_json(self) -> str:
        """As text that `from_json` reads, legible where the files are."""
        files = {name: _written(entry) for name, entry in self.files.items()}
        facts = {"area": self.area, "chains": self.chains, "named": self.named, "whole": self.whole}
        return json.dumps(facts | {"files": files}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Case:
        """The case that `to_json` wrote."""
        data = json.loads(text)
        chains = tuple(tuple(tuple(command) for command in chain) for chain in data["chains"])
        files = {name: _read(entry) for name, entry in data["files"].items()}
        return cls(data["area"], chains, files, tuple(data["named"]), data["whole"])


def _written(entry: Entry) -> dict[str, str]:
    if isinstance(entry, Special):
        return {"special": entry.kind, "target": entry.target}
    try:
        return {"text": entry.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(entry).decode()}


def _read(entry: dict[str, str]) -> Entry:
    if "special" in entry:
        return Special(entry["special"], entry["target"])
    return entry["text"].encode() if "text" in entry else base64.b64decode(entry["base64"])
