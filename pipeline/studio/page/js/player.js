// Which frame is on screen: sought, played, or the newest as it is rendered.

import { endDraft } from "./drafts.js";
import { runNow } from "./live.js";
import { on, set, state } from "./store.js";
import { runId } from "./subject.js";

const FASTEST = 8;
let from = null;

export const run = () => runNow(runId());
export const isRunning = (each) => each?.state === "rendering" || each?.state === "waiting";
const last = () => Math.max(0, (run()?.frames ?? 0) - 1);

/** Go to a frame; a draft ends, and the newest is followed again once it is reached while rendering. */
export function seek(frame) {
  if (state.draft) endDraft();
  const there = Math.min(last(), Math.max(0, Math.round(frame)));
  set({ frame: there, follow: isRunning(run()) && there === last(), playing: 0 });
}

/** Some frames on or back. */
export const step = (frames) => seek(state.frame + frames);
export const second = () => Math.max(1, Math.round(run()?.fps ?? 1));
export const toEnd = () => seek(last());

/** Play at so many times its speed; 0 pauses, and below 0 goes back. */
export function play(times) {
  if (!run()?.frames) return;
  if (state.draft) endDraft();
  if (times > 0 && state.frame >= last() && !isRunning(run())) set({ frame: 0 });
  from = { time: performance.now(), frame: state.frame };
  const began = state.playing !== 0;
  set({ playing: Math.max(-FASTEST, Math.min(FASTEST, times)), follow: false });
  if (times && !began) requestAnimationFrame(tick);
}

export const toggle = () => play(state.playing ? 0 : 1);

/** J and L: that way, and faster each time. */
export const shuttle = (way) => play(state.playing * way > 0 ? state.playing * 2 : way);

function tick() {
  const { playing } = state;
  if (playing === 0 || !run()) return;
  const due = Math.floor(from.frame + ((performance.now() - from.time) / 1000) * run().fps * playing);
  const frame = Math.min(last(), Math.max(0, due));
  if (frame !== due) return set({ frame, playing: 0, follow: isRunning(run()) && playing > 0 });
  set({ frame });
  requestAnimationFrame(tick);
}

on("subject", () => (from = null));
