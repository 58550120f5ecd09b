"""The page of a large batch in Chromium, which holds some dozens of films at once and no more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.batch import BatchFolder, expand, load_batch
from pipeline.batch.sheet import write_page
from tests.batch.small import write
from tests.batch.stub import finish_all
from tests.browser import Page, find_chromium, open_page

RUNS = 200
LOADED = "[...document.querySelectorAll('video')].filter(v => v.readyState > 0 && v.dataset.seen).length"
HELD = "document.querySelectorAll('video[src]').length"


def _until(page: Page, condition: str) -> None:
    ends = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < ends, f"{condition} never came true; {page.evaluate(HELD)} films are held"
        time.sleep(0.1)


def test_every_film_of_a_large_batch_can_be_seen(tmp_path: Path) -> None:
    browser = find_chromium()
    if browser is None:
        pytest.skip("there is no Chromium")
    batch = f"presets: a.yaml\nseeds: 0-{RUNS - 1}\nset: {{encode.format: vp9}}\n"
    file = load_batch(write(tmp_path, batch))
    folder = BatchFolder(file, tmp_path / "out")
    works = folder.freeze(expand(file))
    finish_all(works)
    write_page(works, "many", folder.page)
    with open_page(browser, folder.page.as_uri(), tmp_path / "profile") as page:
        _until(page, f"{LOADED} > 0")
        for row in range(0, RUNS, 8):  # browsers would refuse the last ones, were the first ones not let go
            page.evaluate(f"document.querySelectorAll('figure')[{row}].scrollIntoView()")
            _until(page, f"document.querySelectorAll('video')[{row}].readyState > 0")
        assert page.evaluate(HELD) < 75
        assert page.evaluate("!document.querySelectorAll('video')[0].hasAttribute('src')")
        assert page.evaluate("document.querySelector('figure > div').style.aspectRatio") == "64 / 48"
        page.click("#play")
        _until(page, "now > 0.1 && visible().length > 0 && visible().every(v => Math.abs(v.currentTime - now) < 0.5)")
