"""`dreamreel presets`: what comes with dreamreel."""

from __future__ import annotations

from pipeline.cli.console import print_table, say
from pipeline.cli.watch import Watch
from pipeline.errors import PresetError


def command() -> None:
    """List the presets that come with dreamreel."""
    from pipeline.preset import load_preset, shelf

    rows = []
    for name, path in shelf().items():
        about = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        try:
            with Watch(f"reading {name}", stderr=True):
                preset = load_preset(path)
        except PresetError as error:  # such as a photograph whose package is not installed
            rows.append((name, "-", "-", "-", f"{about} (not here: {error.problems[0].message})"))
            continue
        rows.append((name, str(preset.size), str(preset.fps), str(preset.duration), about))
    print_table(rows, ("name", "size", "fps", "length", "about"))
    say()
    say("Render one: dreamreel render NAME. Copy one and change it: they are plain text with comments.")
