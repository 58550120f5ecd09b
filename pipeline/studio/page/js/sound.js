// The film's sound, while it is played forwards at its own speed: that of the finished film, or the song that it will have.

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

  /** Play along with a run; `about` says where its sound is, and at which second of that the film begins. */
  follow(run, about) {
    const sound = run && about?.id === run.id ? about.sound : null;
    this.button.hidden = !sound;
    this.draw();
    if (!sound || state.playing !== 1 || state.muted || state.draft) return this.audio.pause();
    if (this.audio.getAttribute("src") !== sound.url) this.audio.src = sound.url;
    const second = sound.since + state.frame / run.fps;
    if (Math.abs(this.audio.currentTime - second) > APART_SECONDS) this.audio.currentTime = second;
    if (this.audio.paused && !this.audio.ended) this.audio.play().catch(() => null);
  }

  draw() {
    this.button.replaceChildren(icon(state.muted ? "mute" : "sound"));
    this.button.setAttribute("aria-pressed", !state.muted);
  }
}
