// The preset as controls, made from its schema; each sets its key in the text.

import { post } from "./api.js";
import { button, fill, h } from "./dom.js";
import { goTo } from "./editor.js";
import { newest, on, set, state } from "./store.js";
import { edit, source } from "./subject.js";

const list = h("div", { class: "groups" });
const filter = h("input", { type: "search", class: "filter", placeholder: "Filter controls", "aria-label": "Filter controls", on: { input: () => draw() } });
const all = h("input", { type: "checkbox", on: { change: () => set({ all: all.checked }) } });
const note = h("p", { class: "empty", hidden: true });
const MOST = 1e6;
const FEW = 10;
const SOME = 3;
let stages = [];
let drawn = "";
let last = null;
const open = new Set();

/** Put them into the preset's panel. */
export function makeControls(box) {
  all.checked = state.all;
  box.append(h("div", { class: "controls-head" }, filter, h("label", { class: "check" }, all, "all keys")), note, list);
  on("checked side", ask);
  on("opened", () => ((drawn = ""), (last = null), ask()));
  on("all", draw);
}

const fetchThem = newest(async (text) => {
  const found = await post("/api/controls", { text, ...source() }).catch((error) => error);
  if (found instanceof Error) return say(`The controls come back when the text can be read: ${found.message}`);
  say("");
  stages = found.stages;
  last = text;
  draw();
});

function ask() {
  if (state.side === "controls" && state.text && state.text !== last) fetchThem(state.text);
}

function say(words) {
  note.hidden = words === "";
  note.textContent = words;
  list.inert = words !== "";
}

/** Only what is set, unless all is asked for or something is looked for. */
function visible(control) {
  const words = filter.value.trim().toLowerCase();
  return words ? `${control.key} ${control.label} ${control.help}`.toLowerCase().includes(words) : state.all || control.set;
}

function draw() {
  const groups = stages.map((stage) => ({ ...stage, controls: stage.controls.filter(visible) })).filter((stage) => stage.controls.length);
  const shape = JSON.stringify(groups.map((stage) => stage.controls.map(({ key, kind, choices, min, max, set: there }) => [key, kind, choices, min, max, there])));
  if (shape === drawn) return groups.forEach((stage) => stage.controls.forEach(refresh));
  drawn = shape;
  const focused = document.activeElement?.dataset?.key;
  fill(list, groups.length ? groups.map(makeGroup) : h("p", { class: "empty" }, filter.value ? "No key is called that. Clear the filter, or show all keys." : "Nothing is set here yet. Show all keys to begin."));
  if (focused) list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function makeGroup({ id, title: called, stage, help, controls }) {
  const title = called ?? (id || "Film");
  const details = h("details", { open: !open.has(title) }, h("summary", {}, h("b", {}, title), stage && !called && stage !== title && h("span", { class: "dim" }, stage)), help && h("p", { class: "dim group-help" }, help), controls.map(makeControl));
  details.addEventListener("toggle", () => (details.open ? open.delete(title) : open.add(title)));
  return details;
}

const idOf = (key) => `control-${key.replace(/\W/g, "-")}`;

function makeControl(control) {
  const id = idOf(control.key);
  const parts = control.help ? { "aria-describedby": `${id}-help` } : {};
  const label = h("label", { for: id, title: control.key }, control.label);
  const reset = control.set && button("reset", `Take ${control.label} out of the text`, () => edit(control.key, undefined), { quiet: true, kind: "small" });
  const place = control.line && button("text", `Line ${control.line}`, () => (set({ side: "text" }), goTo(control.line)), { quiet: true, kind: "small" });
  const help = control.help && h("p", { class: "help", id: `${id}-help` }, control.help);
  return h("div", { class: `control ${control.kind} ${control.set ? "set" : ""}` }, h("div", { class: "control-head" }, label, control.unit && h("span", { class: "unit" }, control.unit), range(control), h("span", { class: "gap" }), place, reset), h("div", { class: "inputs" }, INPUTS[control.kind](control, { id, data: { key: control.key }, ...parts })), help);
}

function range({ kind, min, max }) {
  if (kind !== "number" && kind !== "integer") return null;
  if ((min === null && max === null) || max > MOST) return null;
  const words = min !== null && max !== null ? `${min} to ${max}` : min !== null ? `from ${min}` : `up to ${max}`;
  return h("span", { class: "range dim" }, words);
}

/** What a slider reaches: all that the key may be, or, where that is far more than the value, some times the value. */
function reach({ min, max, value, default: usual }) {
  const size = Math.max(Math.abs(value ?? 0), typeof usual === "number" ? Math.abs(usual) : 0) || 1;
  if (min !== null && max !== null && max - min <= FEW * size) return [min, max];
  const below = min === null ? value < 0 || usual < 0 : min < 0;
  return [Math.max(min ?? -Infinity, below ? -SOME * size : 0), Math.min(max ?? Infinity, SOME * size)];
}

function numbers(control, attributes) {
  const [low, high] = reach(control);
  const { step, min, max, value, key } = control;
  const read = (input) => (input.value === "" ? undefined : Number(input.value));
  const box = h("input", { type: "number", step: "any", min, max, value: value ?? "", ...attributes });
  const slider = h("input", { type: "range", min: low, max: high, step, value: value ?? low, "aria-label": `${control.label}, slider`, data: { slider: key } });
  const shade = () => slider.style.setProperty("--at", `${(100 * (slider.value - slider.min)) / (slider.max - slider.min)}%`);
  slider.addEventListener("input", () => ((box.value = slider.value), shade(), edit(key, read(slider))));
  slider.addEventListener("change", () => {
    const value = read(slider);
    const atEnd = [slider.min, slider.max].some((end) => Math.abs(value - end) < (step ?? 0));
    if (atEnd) [slider.min, slider.max] = reach({ ...control, value });
    shade();
  });
  if (max > MOST) return box.addEventListener("change", () => box.reportValidity() && edit(key, read(box))), [box];
  box.addEventListener("input", () => box.validity.valid && ((slider.value = box.value), shade()));
  box.addEventListener("change", () => box.reportValidity() && edit(key, read(box)));
  shade();
  return [slider, box];
}

function words(control, attributes) {
  const lines = Math.min(8, String(control.value ?? "").split("\n").length);
  const usual = control.default === null ? "" : String(control.default);
  const input = lines > 1 ? h("textarea", { rows: lines, spellcheck: "false", ...attributes, value: control.value ?? "" }) : h("input", { type: "text", spellcheck: "false", autocomplete: "off", placeholder: usual, ...attributes, value: control.value ?? "" });
  input.addEventListener("change", () => edit(control.key, input.value === "" ? undefined : plain(input.value)));
  return [input];
}

/** A number or a word; what is a list or a mapping goes to the text as it is written. */
function plain(text) {
  const trimmed = text.trim();
  if (trimmed !== "" && Number.isFinite(Number(trimmed))) return Number(trimmed);
  return { true: true, false: false }[trimmed] ?? trimmed;
}

function choices(control, attributes) {
  const usual = control.default === null || control.default === "" ? "—" : `${control.default} (as usual)`;
  const select = h("select", attributes, !control.set && h("option", { value: "" }, usual), control.choices.map((each) => h("option", { value: each }, String(each))));
  select.value = control.set ? String(control.value) : "";
  select.addEventListener("change", () => edit(control.key, control.choices.find((each) => String(each) === select.value)));
  return [select];
}

function switches(control, attributes) {
  const input = h("input", { type: "checkbox", role: "switch", ...attributes, checked: Boolean(control.value) });
  const word = h("span", { class: "dim" }, control.value ? "on" : "off");
  input.addEventListener("change", () => ((word.textContent = input.checked ? "on" : "off"), edit(control.key, input.checked)));
  return [input, word];
}

const INPUTS = { number: numbers, integer: numbers, choice: choices, switch: switches, text: words };

/** The value as the text has it now; what is being handled is left alone. */
function refresh(control) {
  const input = document.getElementById(idOf(control.key));
  if (input === null) return;
  const slider = input.parentElement.querySelector("[type=range]");
  if (input === document.activeElement || (slider && slider === document.activeElement)) return;
  if (control.kind === "switch") input.checked = Boolean(control.value);
  else input.value = control.value ?? "";
  if (slider) [slider.min, slider.max] = reach(control);
  if (slider) (slider.value = control.value ?? slider.min), slider.style.setProperty("--at", `${(100 * (slider.value - slider.min)) / (slider.max - slider.min)}%`);
}
