"""The studio's page in a real Chromium: pressed, typed into, and looked at."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.browser import Page

# What goes wrong unseen: scripts that fail, and what the page's own policy forbids.
_WATCH = """
window.faults = [];
addEventListener("error", (event) => faults.push(event.message));
addEventListener("unhandledrejection", (event) => faults.push(String(event.reason?.stack ?? event.reason)));
document.addEventListener("securitypolicyviolation", (event) => {
  // Chromium itself wants to keep the look of text that is typed over, by a style of its own, which the editor undoes.
  const typed = event.violatedDirective === "style-src-attr" && document.activeElement?.closest(".cm-content");
  if (!typed) faults.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
"""
_KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, " ": 32}
AXE = Path(__file__).parent / "vendor" / "axe.min.js"


class Screen:
    """The studio's page, as a person has it before them."""

    def __init__(self, page: Page, link: str) -> None:
        self._page, self._link = page, link
        page.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        self.resize(1280, 720)

    def resize(self, width: int, height: int) -> None:
        """Another size of window."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._page.call("Emulation.setDeviceMetricsOverride", **metrics)

    def open(self) -> None:
        """Come by the link, with a memory that is empty."""
        self._go(self._link)
        self.wait("document.querySelector('.poster') !== null")
        self.run("import('/page/js/store.js').then((store) => store.forget())")
        self._go(self._link)
        self.wait("document.querySelector('.poster') !== null && document.querySelector('.names h2')?.innerText")

    def reload(self) -> None:
        """Load it again."""
        self.run("window.isOld = true")
        self._page.call("Page.reload")
        self.wait("!window.isOld && document.querySelector('.poster') !== null")

    def _go(self, link: str) -> None:
        self._page.call("Page.navigate", url="about:blank")
        self._page.call("Page.navigate", url=link)

    def go_without_scripts(self, link: str) -> str:
        """The words of a page in a browser that runs no scripts."""
        self._page.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self._go(link)
            self.wait("document.querySelector('.plain') !== null")
            return str(self.run("document.querySelector('.plain').innerHTML"))
        finally:
            self._page.call("Emulation.setScriptExecutionDisabled", value=False)

    def run(self, script: str) -> Any:
        """What a script comes to."""
        return self._page.evaluate(script)

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Until a condition holds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if self.run(f"Boolean({condition})"):
                    return
            except AssertionError:  # between two documents
                pass
            time.sleep(0.05)
        raise AssertionError(f"never: {condition}; the page says {self.run('document.body.innerText')[:2000]}")

    def words(self, selector: str) -> str:
        """What can be read there."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def press(self, selector: str, words: str = "") -> None:
        """Press the mouse on what is there and says so."""
        find = f"[...document.querySelectorAll({json.dumps(selector)})].find((each) => !each.closest('[hidden]') && "
        find += f"(each.innerText + (each.ariaLabel ?? '')).includes({json.dumps(words)}))"
        self.wait(find)
        place = self.run(
            f"(() => {{ const e = {find}; e.scrollIntoView({{ block: 'nearest' }});"
            "const r = e.getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + r.height / 2 } })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._page.call("Input.dispatchMouseEvent", type=kind, **place, button="left", clickCount=1)

    def key(self, key: str, ctrl: bool = False) -> None:
        """Press a key."""
        about = {
            "key": key,
            "modifiers": 2 if ctrl else 0,
            "windowsVirtualKeyCode": _KEYS.get(key, ord(key[0].upper())),
        }
        text = {} if ctrl or (len(key) > 1 and key != "Enter") else {"text": "\r" if key == "Enter" else key}
        self._page.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self._page.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Type where the focus is."""
        self._page.call("Input.insertText", text=text)

    def write(self, text: str) -> None:
        """Put another text into the editor, by select all and typing."""
        self.press("#tab-text")
        self.press(".cm-line")
        self.key("a", ctrl=True)
        self.type(text)

    def text(self) -> str:
        """The preset's text, as the page has it."""
        return str(self.run("import('/page/js/store.js').then(({ state }) => state.text)"))

    def frame(self) -> int:
        """The number of the frame on screen."""
        return int(self.run("import('/page/js/store.js').then(({ state }) => state.frame)"))

    def picture(self, selector: str) -> str:
        """A canvas, as something that can be compared."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).toDataURL()"))

    def slide(self, selector: str, value: float) -> None:
        """Move a slider."""
        self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {value};"
            "e.dispatchEvent(new Event('input', { bubbles: true })) })()"
        )

    def choose(self, selector: str, value: str) -> None:
        """Choose from a list."""
        self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)};"
            "e.dispatchEvent(new Event('change', { bubbles: true })) })()"
        )

    def faults(self) -> list[str]:
        """What went wrong unseen."""
        return list(self.run("window.faults"))

    def barriers(self) -> list[str]:
        """What keeps people out, by axe: serious and critical faults, each with its element."""
        self.run(AXE.read_text(encoding="utf-8"))
        found = self.run(
            "axe.run(document, { resultTypes: ['violations'] }).then((result) => JSON.stringify(result.violations))"
        )
        serious = [each for each in json.loads(found) if each["impact"] in ("serious", "critical")]
        return [
            f"{each['id']}: {node['html'][:200]} {node['failureSummary']}" for each in serious for node in each["nodes"]
        ]
