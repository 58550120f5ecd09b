"""An atlas as one page without anything outside it: a click copies what a preset needs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.disk import write_whole
from pipeline.errors import MediaError

_QUALITY = 85
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { background: #181818; color: #e1e1e1; font: 14px system-ui, sans-serif; margin: 1rem }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(${width}px, 1fr)); gap: .6rem }
button { all: unset; cursor: copy }
button:focus-visible, button:hover { outline: 2px solid #e8a33d }
img { display: block; width: 100% }
output { position: fixed; bottom: 1rem; left: 1rem; background: #000; padding: .5rem; white-space: pre }
output:empty { display: none }
</style>
<h1>$title</h1>
<p>Click a picture: the stage that dreams it is copied, ready for a preset.</p>
<main>
$buttons
</main>
<output></output>
<script>
const said = document.querySelector("output");
function copyByHand(text) {
  // Where pages may not use the clipboard, such as files that are not served.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
document.querySelector("main").addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const text = button.dataset.yaml;
  let done = copyByHand(text);
  if (!done) done = await navigator.clipboard.writeText(text).then(() => true, () => false);
  said.textContent = (done ? "copied:\\n" : "copy this:\\n") + text;
});
</script>
</html>
""")


def write_page(
    plates: Sequence[NDArray[np.uint8]], labels: Sequence[str], yamls: Sequence[str], title: str, path: Path
) -> None:
    """A page with the plates (h, w, 3) and, for each, its label and the YAML that a click copies. Raises MediaError."""
    buttons = "\n".join(_button(*each) for each in zip(plates, labels, yamls, strict=True))
    page = _PAGE.substitute(title=escape(title), width=plates[0].shape[1], buttons=buttons)
    try:
        write_whole(path, page.encode())
    except OSError as error:
        raise MediaError(f"can't write the atlas {path}: {error.strerror}") from error


def _button(plate: NDArray[np.uint8], label: str, yaml: str) -> str:
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(plate, cv2.COLOR_RGB2BGR), options)
    assert done
    source = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
    text = escape(yaml).replace("\n", "&#10;")
    return f'<button data-yaml="{text}"><img alt="{escape(label)}" src="{source}">{escape(label)}</button>'
