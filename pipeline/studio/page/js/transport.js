// Below the picture: play, scrub, times, zoom, the run to compare with, and the run's own buttons.

import { button, fill, h, icon } from "./dom.js";
import { isRunning, run, seek, step, toEnd, toggle } from "./player.js";
import { resume, stop } from "./renders.js";
import { on, set, state } from "./store.js";
import { clock } from "./times.js";
import { Sound } from "./sound.js";

const scrub = h("input", { type: "range", class: "scrub", min: "0", max: "0", step: "1", value: "0", "aria-label": "Frame", on: { input: () => seek(Number(scrub.value)) } });
const toggler = button("play", "Play", toggle, { quiet: true, kind: "play", keys: "Space" });
const live = h("button", { type: "button", class: "button live", title: "Show the newest frame as it comes (End)", on: { click: toEnd } }, icon("record"), "Live");
const time = h("p", { class: "time" });
const others = h("select", { class: "compare", "aria-label": "Compare with another run", on: { change: () => set({ other: others.value || null }) } });
const zoom = h("button", { type: "button", class: "button", title: "Fit, or one pixel to a pixel (Z)", on: { click: turnZoom } });
const actions = h("div", { class: "buttons" });
const sound = new Sound();
const bar = h("div", { class: "transport" });

/** Put it into the film's tab. */
export function makeTransport(box) {
  const left = h("div", { class: "buttons" }, button("first", "First frame", () => seek(0), { quiet: true, keys: "Home" }), button("back", "One frame back", () => step(-1), { quiet: true, keys: "←" }), toggler, button("next", "One frame on", () => step(1), { quiet: true, keys: "→" }), live, sound.button);
  bar.append(h("div", { class: "track" }, scrub), h("div", { class: "row" }, left, time, actions, others, zoom));
  box.append(bar);
  on("frame world subject playing follow draft drafted run", update);
  on("zoom", drawZoom);
  on("world subject other", drawOthers);
  on("world subject", drawActions);
  drawZoom();
}

/** Between the whole picture and its own pixels. */
export function turnZoom() {
  set({ zoom: state.zoom === "fit" ? "real" : "fit" });
}

function drawZoom() {
  fill(zoom, state.zoom === "fit" ? "Fit" : "1:1");
}

function update() {
  const now = run();
  const frames = now?.frames ?? 0;
  const total = Math.max(now?.total ?? frames, frames, 1);
  bar.classList.toggle("off", frames === 0);
  scrub.max = String(total - 1);
  scrub.disabled = frames === 0;
  if (document.activeElement !== scrub || Number(scrub.value) !== state.frame) scrub.value = String(state.frame);
  scrub.style.setProperty("--there", `${(100 * frames) / total}%`);
  scrub.style.setProperty("--at", `${total > 1 ? (100 * state.frame) / (total - 1) : 0}%`);
  scrub.setAttribute("aria-valuetext", now?.fps ? `${clock(state.frame / now.fps)}, frame ${state.frame} of ${frames}` : "no frames yet");
  drawTime(now, frames);
  const playing = state.playing !== 0;
  toggler.replaceChildren(icon(playing ? "pause" : "play"));
  toggler.setAttribute("aria-label", playing ? "Pause" : "Play");
  toggler.disabled = frames === 0;
  live.hidden = !isRunning(now);
  live.setAttribute("aria-pressed", state.follow);
  sound.follow(now, state.run);
}

function drawTime(now, frames) {
  if (state.draft) return void fill(time, h("b", {}, clock(state.drafted?.seconds ?? null)), h("span", { class: "dim" }, "of the draft"));
  if (!now?.fps) return void fill(time);
  const whole = now.total ? now.total / now.fps : null;
  const speed = state.playing && Math.abs(state.playing) !== 1 ? ` · ${state.playing}×` : "";
  const there = frames ? `frame ${state.frame}${speed}` : "no frame yet";
  fill(time, h("span", {}, h("b", {}, clock(state.frame / now.fps)), ` / ${whole === null ? "endless" : clock(whole)}`), h("span", { class: "dim" }, there));
}

function drawOthers() {
  const now = run();
  const choices = (state.world?.runs ?? []).filter((each) => each.id !== now?.id && each.frames > 0);
  const shape = JSON.stringify([choices.map((each) => [each.id, each.name]), state.other, now?.id]);
  if (others.dataset.shape === shape) return;
  others.dataset.shape = shape;
  fill(others, h("option", { value: "" }, "Compare"), choices.map((each) => h("option", { value: each.id }, each.name)));
  others.value = choices.some((each) => each.id === state.other) ? state.other : "";
  others.hidden = choices.length === 0 || !now;
}

/** The finished film to be saved, or a list where there are several. */
function makeSave(films) {
  const link = ({ name, url }, words) => h("a", { class: "button", href: url, download: name, title: `Save ${name}` }, icon("save"), h("span", {}, words));
  if (films.length === 1) return link(films[0], "Film");
  return h("details", { class: "menu" }, h("summary", { class: "button" }, icon("save"), "Films"), h("div", { class: "menu-list" }, films.map((each) => link(each, each.name))));
}

function drawActions() {
  const now = run();
  const shape = `${now?.id} ${now?.state} ${now?.host} ${now?.frames > 0} ${JSON.stringify(now?.films)}`;
  if (actions.dataset.shape === shape) return;
  actions.dataset.shape = shape;
  fill(
    actions,
    isRunning(now) && !now.host && button("stop", "Stop", () => stop(now.id)),
    (now?.state === "stopped" || now?.state === "failed") && button("play", "Resume", () => resume(now.id), { kind: "primary" }),
    now?.films.length > 0 && makeSave(now.films),
  );
}
