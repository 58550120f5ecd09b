"""A page, without anything outside it, that plays a song along what was heard of it."""

from __future__ import annotations

import base64
import json
import tempfile
from html import escape
from pathlib import Path
from string import Template

import cv2
import numpy as np

from pipeline.disk import write_whole
from pipeline.errors import MediaError
from pipeline.listen.report import chart, write_sound
from pipeline.media.chart import LEFT, RIGHT, WIDTH
from pipeline.media.hearing import samples
from pipeline.media.sound import Soundtrack
from pipeline.signals import Signals

_RATE = 44_100
_BIT_RATE = 96_000
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { background: #181818; color: #e1e1e1; font: 15px system-ui, sans-serif;
  margin: 0 auto; padding: 1rem; max-width: 1100px }
header { position: sticky; top: 0; background: #181818; padding: .5rem 0; z-index: 1 }
audio { width: 100% }
#beat { display: inline-block; min-width: 9rem; font-variant-numeric: tabular-nums }
#beat::before { content: ""; display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .5em;
  background: #e8a33d; opacity: var(--flash, .15) }
figure { position: relative; margin: 0; cursor: pointer }
img { display: block; width: 100% }
#cursor { position: absolute; top: 0; bottom: 0; width: 2px; background: #c02b2b; pointer-events: none }
</style>
<h1>$title</h1>
<p>$said</p>
<header>
<audio controls src="$sound"></audio>
<span id="beat">beat</span> Click into the chart to play from there.
</header>
<figure><img alt="$alt" src="$picture"><div id="cursor"></div></figure>
<script>
const beats = $beats, meter = $meter, seconds = $seconds, left = $left, right = $right;
const audio = document.querySelector("audio"), cursor = document.getElementById("cursor");
const said = document.getElementById("beat"), figure = document.querySelector("figure");
function show() {
  const t = audio.currentTime;
  cursor.style.left = 100 * (left + (right - left) * Math.min(1, t / seconds)) + "%";
  let low = 0, high = beats.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (beats[middle] <= t) low = middle + 1; else high = middle;
  }
  const bar = 1 + Math.floor((low - 1) / meter), beat = 1 + (low - 1) % meter;
  said.textContent = low ? "bar " + bar + ", beat " + beat : "no beat yet";
  said.style.setProperty("--flash", low ? Math.max(.15, 1 - (t - beats[low - 1]) / .15) : .15);
  requestAnimationFrame(show);
}
figure.addEventListener("click", (event) => {
  const box = figure.getBoundingClientRect();
  const share = ((event.clientX - box.left) / box.width - left) / (right - left);
  audio.currentTime = Math.max(0, Math.min(1, share)) * seconds;
  audio.play();
});
show();
</script>
</html>
""")


def write_page(title: str, said: str, sound: Soundtrack, signals: Signals, path: Path) -> None:
    """The page, with the song in it as MP3 in one channel. Raises MediaError."""
    done, png = cv2.imencode(".png", cv2.cvtColor(chart(title, signals), cv2.COLOR_RGB2BGR))
    assert done
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.mp3"
        write_sound(np.concatenate([np.zeros(0, np.float32), *samples(sound, _RATE)]), song, _BIT_RATE)
        heard = song.read_bytes()
    page = _PAGE.substitute(
        title=escape(title),
        said=escape(said),
        alt="what was heard over time, with every beat as a tick",
        sound=_data("audio/mpeg", heard),
        picture=_data("image/png", png.tobytes()),
        beats=json.dumps([round(float(beat), 4) for beat in signals.beats]),
        meter=signals.meter,
        seconds=signals.seconds,
        left=LEFT / WIDTH,
        right=1 - RIGHT / WIDTH,
    )
    try:
        write_whole(path, page.encode())
    except OSError as error:
        raise MediaError(f"can't write the page {path}: {error.strerror}; name another folder with -o") from error


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
