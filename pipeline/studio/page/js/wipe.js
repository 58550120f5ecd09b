// A wipe: two pictures in one place, and a line between them that is dragged or moved by keys.

import { h } from "./dom.js";

/** Cuts `over` at the line; `changed` hears where it is, in percent. */
export class Wipe {
  constructor(box, over, changed) {
    this.box = box;
    this.over = over;
    this.changed = changed;
    this.handle = h("div", { class: "wipe", role: "slider", tabindex: "0", "aria-label": "Where A ends and B begins", "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal" }, h("span", { class: "knob" }));
    this.handle.addEventListener("pointerdown", (event) => this.#begin(event));
    this.handle.addEventListener("keydown", (event) => this.#key(event));
    box.append(this.handle);
  }

  /** Show it, or the first picture alone. */
  show(there) {
    this.handle.hidden = !there;
    this.over.hidden = !there;
  }

  /** Put the line there. */
  move(percent) {
    this.percent = Math.min(100, Math.max(0, percent));
    this.handle.style.left = `${this.percent}%`;
    this.over.style.clipPath = `inset(0 0 0 ${this.percent}%)`;
    this.handle.setAttribute("aria-valuenow", Math.round(this.percent));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.percent)} % A`);
  }

  #begin(event) {
    event.preventDefault();
    this.handle.focus();
    this.handle.setPointerCapture(event.pointerId);
    const drag = ({ clientX }) => {
      const { left, width } = this.box.getBoundingClientRect();
      this.move((100 * (clientX - left)) / width);
      this.changed(this.percent);
    };
    this.handle.addEventListener("pointermove", drag);
    this.handle.addEventListener("lostpointercapture", () => this.handle.removeEventListener("pointermove", drag), { once: true });
  }

  #key(event) {
    const step = { ArrowLeft: -2, ArrowRight: 2, Home: -100, End: 100 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.move(this.percent + step);
    this.changed(this.percent);
  }
}
