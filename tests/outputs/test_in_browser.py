"""What a browser shows of a film: each format that it plays, opened in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser import find_chromium, open_page
from tests.outputs.written import FPS, ramps, rendition, written

FAST = {"preset": "ultrafast"}
PLAYED: dict[str, dict[str, Any]] = {
    "av1": {"format": "av1", **FAST},
    "vp9": {"format": "vp9", **FAST},
    "vp9, transparent": {"format": "vp9", **FAST, "mask": {"radial": 0.4, "centre": [0.25, 0.5]}},
    "gif": {"format": "gif"},
    "webp": {"format": "webp", "mask": {"radial": 0.4, "centre": [0.25, 0.5]}},
    "apng": {"format": "apng", "mask": {"radial": 0.4, "centre": [0.25, 0.5]}},
    "h264": {"format": "h264", **FAST},  # of Chromium's, some builds alone have it
}
# A film or a picture drawn on magenta; [width, height, seconds, the colours of two places].
SHOWN = """new Promise((done, fail) => {
  const film = TAG === 'video', e = document.createElement(TAG)
  const read = () => {
    const c = document.createElement('canvas')
    c.width = e.videoWidth || e.naturalWidth; c.height = e.videoHeight || e.naturalHeight
    const pen = c.getContext('2d')
    pen.fillStyle = '#f0f'; pen.fillRect(0, 0, c.width, c.height); pen.drawImage(e, 0, 0)
    done([c.width, c.height, e.duration || 0, ...[128, 384].map(x => [...pen.getImageData(x, 32, 1, 1).data])])
  }
  e.onerror = () => done('refused')
  if (film) { e.muted = true; e.onloadeddata = () => { e.currentTime = 0.1; e.onseeked = read } } else e.onload = read
  e.src = SOURCE
})"""


@pytest.mark.parametrize("name", PLAYED)
def test_it_is_shown(name: str, tmp_path: Path) -> None:
    browser = find_chromium()
    if browser is None:
        pytest.skip("there is no Chromium")
    output = rendition(PLAYED[name])
    target = written(tmp_path, output, ramps(12))
    tag = "video" if output.config.form.kind == "film" else "img"
    (tmp_path / "page.html").write_text("<!doctype html><title>test</title>")
    data = "data:" + _mime(target.suffix) + ";base64," + _base64(target)
    with open_page(browser, (tmp_path / "page.html").as_uri(), tmp_path / "profile") as page:
        shown = page.evaluate(SHOWN.replace("TAG", repr(tag)).replace("SOURCE", repr(data)))
    if shown == "refused" and name == "h264":
        pytest.skip("this Chromium is built without H.264")
    width, height, seconds, left, right = shown
    assert (width, height) == (512, 64)
    assert seconds == pytest.approx(float(12 / FPS), abs=0.05) if tag == "video" else seconds == 0
    red = [65, 192]  # of 255: what the ramp has there
    assert abs(left[0] - red[0]) < 16
    if output.config.transparent:
        assert right[0] > 245 and right[1] < 10 and right[2] > 245  # the page behind it
    else:
        assert abs(right[0] - red[1]) < 16 and right[2] < 60


def _mime(suffix: str) -> str:
    kinds = {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif", ".webp": "image/webp"}
    return kinds.get(suffix, "image/png")


def _base64(path: Path) -> str:
    import base64

    return base64.b64encode(path.read_bytes()).decode()
