// The left side: runs, and presets with their posters.

import { button, fill, h, icon } from "./dom.js";
import { resume, reveal, stop } from "./renders.js";
import { on, set, state } from "./store.js";
import { look, posterOf, runId } from "./subject.js";
import { left, speed, STATES } from "./times.js";

const runs = h("ul", { class: "runs", "aria-label": "Runs" });
const presets = h("ul", { class: "posters", "aria-label": "Presets" });
const filter = h("input", { type: "search", class: "filter", placeholder: "Filter presets", "aria-label": "Filter presets", on: { input: () => drawPresets() } });
const count = h("span", { class: "count" });
const rows = new Map();
let drawn = "";
let brought = null; // what was scrolled into sight

/** Put it on the page. */
export function makeShelf(shelf) {
  shelf.append(
    h("section", { class: "shelf-runs" }, h("h2", {}, "Runs", count), runs),
    h("section", { class: "shelf-presets" }, h("div", { class: "shelf-head" }, h("h2", {}, "Presets"), filter), presets),
  );
  on("world subject folded", () => (drawRuns(), drawPresets()));
  on("texts", drawPresets);
}

function choose(subject, frame) {
  look(subject, frame);
  set({ pane: "work", follow: true, ...(state.tab === "stills" || state.tab === "atlas" ? {} : { tab: "film" }) });
}

function drawRuns() {
  const { world } = state;
  if (world === null) return;
  fill(count, world.runs.length ? String(world.runs.length) : "");
  const order = elementsOf(world.runs);
  const there = [...runs.children];
  // Rows that stay are not moved, or they would lose the focus.
  if (order.length === 0) fill(runs, h("li", { class: "empty" }, "Nothing is rendered yet. Choose a preset below, then press Render."));
  else if (order.length !== there.length || order.some((each, index) => each !== there[index])) fill(runs, order);
  const chosen = rows.get(runId())?.element;
  if (chosen?.isConnected && brought !== state.subject) chosen.scrollIntoView({ block: "nearest" });
  if (chosen?.isConnected) brought = state.subject;
}

/** A row for each run, and one above those that belong together. */
function elementsOf(all) {
  const gone = new Set(rows.keys());
  const row = (key, make, ...about) => {
    gone.delete(key);
    if (!rows.has(key)) rows.set(key, make(key));
    rows.get(key).update(...about);
    return rows.get(key).element;
  };
  const order = all.flatMap((run, index) => {
    const begins = run.group !== null && run.group !== all[index - 1]?.group;
    const head = begins ? [row(`group:${run.group}`, makeGroup, run.group, all.filter((each) => each.group === run.group))] : [];
    return state.folded.includes(run.group) ? head : [...head, row(run.id, makeRow, run)];
  });
  for (const id of gone) rows.delete(id);
  return order;
}

/** The head of runs that belong together: a batch, or the shots of a film. */
function makeGroup() {
  let name = "";
  const fold = () => set({ folded: state.folded.includes(name) ? state.folded.filter((each) => each !== name) : [...state.folded, name] });
  const words = h("span", { class: "name" });
  const about = h("span", { class: "about" });
  const head = h("button", { type: "button", class: "run-group", on: { click: fold } }, icon("next"), words, about);
  const update = (group, all) => {
    name = group;
    head.setAttribute("aria-expanded", !state.folded.includes(group));
    fill(words, group);
    fill(about, `${all.filter((run) => run.state === "finished").length} of ${all.length} finished`);
  };
  return { element: h("li", {}, head), update };
}

function makeRow(id) {
  const poster = h("img", { alt: "", class: "thumb", loading: "lazy", hidden: true, on: { error: () => (poster.hidden = true) } });
  const name = h("span", { class: "name" });
  const word = h("span", { class: "state" });
  const about = h("span", { class: "about" });
  const bar = h("span", { class: "bar" }, h("span"));
  const open = h("button", { type: "button", class: "run", on: { click: () => choose(`run:${id}`, rows.get(id).run.frames ? rows.get(id).run.frames - 1 : 0) } }, h("span", { class: "thumb-box" }, icon("film"), poster), h("span", { class: "words" }, name, word, about), bar);
  const tools = h("span", { class: "tools" });
  const element = h("li", {}, open, tools);
  const row = { element, run: null, update };
  let shape = "";
  function update(run) {
    row.run = run;
    const here = state.subject === `run:${id}`;
    open.setAttribute("aria-current", here);
    element.classList.toggle("grouped", run.group !== null);
    const [words, sign] = STATES[run.state];
    const part = run.total ? run.frames / run.total : 0;
    if (run.poster && poster.getAttribute("src") !== run.poster) (poster.src = run.poster), (poster.hidden = false);
    fill(name, run.name);
    word.className = `state ${run.state}`;
    fill(word, icon(sign), `${words}${run.total && run.state !== "finished" && run.state !== "waiting" ? ` ${Math.floor(100 * part)} %` : ""}`);
    fill(about, detail(run));
    bar.hidden = run.state === "finished" || !run.total;
    bar.firstChild.style.width = `${100 * part}%`;
    if (shape !== `${run.state} ${run.host}`) fill(tools, toolsOf(run));
    shape = `${run.state} ${run.host}`;
  }
  return row;
}

function detail(run) {
  if (run.state === "rendering") return [run.host && `on ${run.host}`, left(run.seconds_left), speed(run.speed)].filter(Boolean).join(" · ");
  if (run.state === "failed") return run.error ?? "";
  if (run.parent) return `branch of ${run.parent.name} at ${Number(run.parent.seconds.toFixed(2))} s`;
  return run.size ? `${run.size[0]} × ${run.size[1]}, ${run.frames} frames` : "";
}

function toolsOf(run) {
  const running = run.state === "rendering" || run.state === "waiting";
  return [
    running && !run.host && button("stop", `Stop ${run.name}`, () => stop(run.id), { quiet: true }),
    (run.state === "stopped" || run.state === "failed") && button("play", `Resume ${run.name}`, () => resume(run.id), { quiet: true }),
    button("folder", `Reveal the folder of ${run.name}`, () => reveal(run.id), { quiet: true }),
  ];
}

function drawPresets() {
  if (state.world === null) return;
  const words = filter.value.trim().toLowerCase();
  const found = state.world.presets.filter((each) => `${each.name} ${each.title}`.toLowerCase().includes(words));
  const shape = JSON.stringify([found, found.map(posterOf)]);
  if (shape !== drawn) {
    drawn = shape;
    const focused = document.activeElement?.dataset?.preset;
    const none = h("li", { class: "empty" }, words ? "No preset is called that. Clear the filter to see all." : "There are no presets.");
    fill(presets, found.length ? found.map(makePoster) : none);
    if (focused) presets.querySelector(`[data-preset="${CSS.escape(focused)}"]`)?.focus();
  }
  for (const each of found) mark(each);
}

function makePoster(preset) {
  const poster = posterOf(preset);
  const picture = poster ? h("img", { src: poster, alt: "", loading: "lazy" }) : icon("text");
  const words = h("span", { class: "words" }, h("span", { class: "name" }, preset.name), h("span", { class: "about" }));
  return h("li", {}, h("button", { type: "button", class: "poster", title: preset.title || null, data: { preset: preset.id }, on: { click: () => choose(`preset:${preset.id}`) } }, h("span", { class: "thumb-box" }, picture), words));
}

/** Which of them is looked at, and which was edited. */
function mark(preset) {
  const poster = presets.querySelector(`[data-preset="${CSS.escape(preset.id)}"]`);
  const subject = `preset:${preset.id}`;
  poster.setAttribute("aria-current", subject === state.subject);
  poster.querySelector(".about").textContent = [preset.own ? "yours" : "", subject in state.texts ? "edited" : "", length(preset)].filter(Boolean).join(" · ");
}

function length(preset) {
  if (preset.size === null || preset.size === undefined) return "";
  return preset.seconds === null ? "endless" : `${Number(preset.seconds.toFixed(1))} s`;
}
