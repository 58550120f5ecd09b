// The middle of the page: the picture, two of them beside each other, and what can be done with them.

import { picture } from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { endDraft, keep, tryNow } from "./drafts.js";
import { hear, runNow, watch } from "./live.js";
import { draw } from "./pictures.js";
import { isRunning, run } from "./player.js";
import { render, resume } from "./renders.js";
import { newest, on, set, state } from "./store.js";
import { posterOf, presetNow, runId } from "./subject.js";
import { Wipe } from "./wipe.js";

const STEP = 160;
const first = h("canvas", { class: "picture", role: "img", "aria-label": "The frame", width: 16, height: 9 });
const other = h("canvas", { class: "picture over", role: "img", "aria-label": "The other run’s frame", width: 16, height: 9, hidden: true });
const nameA = h("span", { class: "side a" });
const nameB = h("span", { class: "side b" });
const frame = h("div", { class: "frame" }, first, other, nameA, nameB);
const stage = h("div", { class: "stage", tabindex: "0", role: "region", "aria-label": "Picture" }, frame);
const note = h("div", { class: "note" });
const badge = h("div", { class: "badge", role: "status" });
let wipe;
let shown = "";

/** Put it into the film's tab. */
export function makeFilm(box) {
  box.append(h("div", { class: "stage-box" }, stage, badge, note));
  wipe = new Wipe(frame, other, (percent) => set({ wipe: percent }));
  wipe.show(false);
  wipe.move(state.wipe);
  new ResizeObserver(() => requestAnimationFrame(fit)).observe(stage);
  hear("frame", arrived);
  on("frame subject run", () => (look(), fit()));
  on("world", () => (look(), fit(), drawNote()));
  on("zoom", fit);
  on("other frame world draft", compare);
  on("subject draft follow world", watching);
  on("subject world draft", () => (drawNote(), drawBadge()));
}

/** How wide a picture has to be: no wider than it is shown, in steps so that few sizes are asked for. */
function width() {
  const [full] = run()?.size ?? [1280];
  if (state.zoom === "real") return full;
  return Math.min(full, STEP * Math.ceil((frame.clientWidth * devicePixelRatio) / STEP) || 640);
}

const url = (id, index) => `/api/runs/${id}/frames/${index}.jpg?width=${width()}`;

const fetchFirst = newest(async (path, key) => {
  const blob = await picture(path).catch(() => null);
  if (blob === null || state.draft || (state.subject !== key && !path.includes(runId()))) return;
  await draw(first, blob);
  first.dataset.frame = path;
});

const fetchOther = newest(async (path) => {
  const blob = await picture(path).catch(() => null);
  if (blob !== null) await draw(other, blob);
});

function look() {
  if (state.draft) return;
  const now = run();
  const poster = presetNow() && posterOf(presetNow());
  const path = now?.frames ? url(now.id, Math.min(state.frame, now.frames - 1)) : (poster ?? now?.poster);
  frame.hidden = !path;
  if (!path || path === shown || (state.follow && isRunning(now) && shown.startsWith(`live:${now.id}`))) return;
  shown = path;
  fetchFirst(path, state.subject);
}

function watching() {
  const now = run();
  if (state.draft) return watch(state.draft.id, 320);
  watch(isRunning(now) && state.follow ? now.id : null, width());
}

async function arrived(message, blob) {
  const mine = state.draft ? message.id === state.draft.id : state.follow && message.id === runId();
  if (!mine) return;
  await draw(first, blob);
  frame.hidden = false;
  first.dataset.frame = `${message.id} ${message.frame}`;
  shown = `live:${message.id}:${message.frame}`;
  if (state.draft) set({ drafted: message });
  else set({ frame: message.frame });
  fit();
  drawBadge();
}

/** The frame of the other run at the same second. */
function compare() {
  const now = run();
  const with_ = runNow(state.other);
  const there = now?.frames > 0 && with_?.frames > 0 && state.draft === null;
  wipe.show(there);
  nameA.hidden = nameB.hidden = !there;
  if (!there) return;
  fill(nameA, "A ", h("b", {}, now.name));
  fill(nameB, "B ", h("b", {}, with_.name));
  fetchOther(url(with_.id, Math.min(with_.frames - 1, Math.round((state.frame / now.fps) * with_.fps))));
}

function size() {
  const preset = presetNow()?.size;
  return run()?.size ?? (first.width > 16 ? [first.width, first.height] : (preset ?? [16, 9]));
}

/** As large as the stage allows, or a pixel of the film on a pixel of the screen. */
export function fit() {
  const [wide, high] = size();
  const real = state.zoom === "real";
  const scale = real ? 1 / devicePixelRatio : Math.min(stage.clientWidth / wide, stage.clientHeight / high);
  frame.style.width = `${Math.floor(wide * scale)}px`;
  frame.style.height = `${Math.floor(high * scale)}px`;
  stage.classList.toggle("real", real);
}

function drawBadge() {
  const { draft } = state;
  badge.hidden = draft === null;
  if (draft === null) return void (badge.dataset.shape = "");
  const where = draft.of ? `from ${draft.of.name} at ${(draft.from / draft.of.fps).toFixed(2)} s` : "from the beginning";
  const words = draft.state === "waiting" ? "Draft: it begins in a moment" : `Draft, small, ${where}`;
  const shape = JSON.stringify([draft.state, draft.message, words]);
  if (badge.dataset.shape === shape) return;
  badge.dataset.shape = shape;
  fill(badge, icon("try"), h("p", {}, h("b", {}, words), draft.message && h("span", { class: "dim" }, draft.message)), button("keep", "Keep", keep, { kind: "primary" }), button("close", "End the draft", endDraft, { quiet: true, keys: "Escape" }));
}

function drawNote() {
  const now = run();
  const shape = JSON.stringify([state.subject, now?.state, now?.frames > 0, now?.error, frame.hidden, state.draft !== null, state.world !== null]);
  if (note.dataset.shape === shape) return;
  note.dataset.shape = shape;
  const content = state.draft ? null : now ? aboutRun(now) : aboutPreset();
  note.hidden = content === null;
  note.classList.toggle("alone", frame.hidden);
  fill(note, content ?? []);
}

function aboutPreset() {
  if (state.subject === null) return [h("p", {}, h("b", {}, "Choose a preset or a run on the left.")), h("p", {}, "A preset says how a film is dreamt; a run is a film of it.")];
  const words = presetNow()?.title || state.title;
  return [h("p", {}, h("b", {}, words)), h("div", { class: "buttons" }, button("try", "Try it small", tryNow, { kind: "primary", keys: "Ctrl Enter" }), button("record", "Render it", render))];
}

function aboutRun(now) {
  if (now.state === "failed") return [h("p", {}, icon("error"), h("b", {}, " It failed. "), now.error ?? ""), h("div", { class: "buttons" }, button("play", "Resume", () => resume(now.id), { kind: "primary" }))];
  if (!now.frames && now.state === "stopped") return [h("p", {}, "It was stopped before its first frame."), h("div", { class: "buttons" }, button("play", "Resume", () => resume(now.id), { kind: "primary" }))];
  return now.frames ? null : [h("p", {}, icon("wait"), h("b", {}, " The first frame is being dreamt."), " Its network is loaded, which takes some seconds.")];
}
