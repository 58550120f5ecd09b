"""`make gallery`: a still and a short loop of every preset on the shelf, and the page that shows them.

python -m docs.make_gallery [NAME ...]    # these presets only; the page always shows all that have pictures
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pipeline import Preset, frames, load_preset
from pipeline.preset import shelf

Picture = NDArray[np.uint8]

FOLDER = Path(__file__).parent / "gallery"
FPS, SECONDS = 12, 8  # of the film that is rendered
LOOP, FADE = 3 * FPS, FPS  # frames of the loop, its last ones fading into what comes before its first
LAPSE = 4  # of a film of scenes, which is shown whole, one frame of so many
WIDEST, LOOP_WIDTH = 288, 288  # pixels
COLUMNS = 2


def main(names: list[str]) -> None:
    presets = {name: path for name, path in shelf().items() if not name.endswith("-hd")}
    if unknown := sorted({*names} - {*presets}):
        sys.exit(f"no such preset: {', '.join(unknown)}; there are {', '.join(presets)}")
    FOLDER.mkdir(exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, torch.set_num_threads, (1,)) as pool:
        # Two processes with one thread each are faster than one with two.
        jobs = {pool.submit(photograph, name): name for name in names or presets}
        for job in as_completed(jobs):
            print(f"{jobs[job]}: {job.result():.0f} kB", flush=True)
    (FOLDER / "README.md").write_text(page(presets), encoding="utf-8")


def photograph(name: str) -> float:
    """Render a preset, small, and keep a still and a loop of it; the kilobytes that both take."""
    preset = small(load_preset(name))
    pictures = [frame.pixels for frame in frames(preset)]
    pictures = pictures[::LAPSE] if preset.scenes else pictures
    still, loop = FOLDER / f"{name}.jpg", FOLDER / f"{name}.webp"
    Image.fromarray(pictures[-1]).save(still, quality=90)
    first, *others = (reduced(picture) for picture in looped(pictures))
    first.save(loop, save_all=True, append_images=others, duration=round(1000 / FPS), loop=0, quality=45, method=6)
    return (still.stat().st_size + loop.stat().st_size) / 1000


def small(preset: Preset) -> Preset:
    """The preset at a size, a frame rate and a length that a page can show."""
    height, width = preset.size
    share = min(Fraction(1), Fraction(WIDEST, width))
    size = f"{round(width * share / 2) * 2}x{round(height * share / 2) * 2}"
    length = preset.duration.to_frames(preset.fps)
    seconds = SECONDS if length is None else float(length / preset.fps)
    seconds = seconds if preset.scenes else min(SECONDS, seconds)
    return load_preset(preset.name, {"size": size, "fps": FPS, "duration": f"{seconds:g}s"})


def looped(pictures: list[Picture]) -> Iterator[Picture]:
    """The film's end, the last of it fading into what comes before its beginning, so that it goes round."""
    before, tail = pictures[-LOOP - FADE : -LOOP], pictures[-LOOP:]
    yield from tail[:-FADE]
    for index, (old, new) in enumerate(zip(tail[-FADE:], before, strict=True), start=1):
        share = index / (FADE + 1)
        yield np.rint(old * (1 - share) + new * share).astype(np.uint8)


def reduced(picture: Picture) -> Image.Image:
    image = Image.fromarray(picture)
    return image.resize((LOOP_WIDTH, round(image.height * LOOP_WIDTH / image.width)), Image.Resampling.LANCZOS)


def page(presets: dict[str, Path]) -> str:
    """The gallery as Markdown, from the first line of every preset that has pictures."""
    cells = [cell(name, path) for name, path in presets.items() if (FOLDER / f"{name}.webp").exists()]
    rows = [cells[start : start + COLUMNS] for start in range(0, len(cells), COLUMNS)]
    table = "\n".join("<tr>\n" + "\n".join(row) + "\n</tr>" for row in rows)
    return (
        "# Gallery\n\nEvery preset that comes with dreamreel: `dreamreel render NAME` makes its film. A picture leads "
        f"to a still of it.\nMade by `make gallery`.\n\n<table>\n{table}\n</table>\n"
    )


def cell(name: str, path: Path) -> str:
    about = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
    loop = f'<a href="{name}.jpg"><img src="{name}.webp" width="{LOOP_WIDTH}" alt="{name}"></a>'
    return f'<td valign="top">{loop}<br><a href="../../presets/{path.name}">{name}</a><br>{about}</td>'


if __name__ == "__main__":
    main(sys.argv[1:])
