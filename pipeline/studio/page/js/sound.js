// The finished film's sound, while it is played forwards at its own speed.

import { button, icon } from "./dom.js";
import { set, state } from "./store.js";

const APART_SECONDS = 0.15;

/** One song, beside the pictures. */
export class Sound {
  constructor() {
    this.audio = new Audio();
    this.audio.preload = "none";
    this.button = button("sound", "Sound", () => set({ muted: !state.muted, frame: state.frame }) || this.draw(), { quiet: true });
    this.button.hidden = true;
  }

  /** Play along with a run; `about` says whether it has sound. */
  follow(run, about) {
    const there = run?.film && about?.id === run.id && about.sound;
    this.button.hidden = !there;
    this.draw();
    if (!there || state.playing !== 1 || state.muted) return this.audio.pause();
    const source = `/api/runs/${run.id}/film`;
    if (this.audio.getAttribute("src") !== source) this.audio.src = source;
    const second = state.frame / run.fps;
    if (Math.abs(this.audio.currentTime - second) > APART_SECONDS) this.audio.currentTime = second;
    if (this.audio.paused) this.audio.play().catch(() => null);
  }

  draw() {
    this.button.replaceChildren(icon(state.muted ? "mute" : "sound"));
    this.button.setAttribute("aria-pressed", !state.muted);
  }
}
