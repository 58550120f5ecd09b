// The right side: the preset's name, as text and as controls, its mistakes, and what can be done with it.

import { makeControls } from "./controls.js";
import { button, fill, h, icon, tabs } from "./dom.js";
import { endDraft, keep, tryNow } from "./drafts.js";
import { goTo, makeEditor, redoLast, undoLast } from "./editor.js";
import { runNow } from "./live.js";
import { branch, render } from "./renders.js";
import { on, set, state } from "./store.js";
import { isEdited, revert, runId, save } from "./subject.js";

const SHOWN = 3;
const title = h("h2", {});
const mark = h("p", { class: "mark dim" });
const buttons = h("div", { class: "buttons" });
const tools = h("div", { class: "buttons" });
const problems = h("div", { class: "problems", role: "status", "aria-label": "Mistakes" });
const sides = h("div", { class: "tabs small", role: "tablist", "aria-label": "Preset as" });
const text = h("div", { class: "editor", id: "side-text", role: "tabpanel", "aria-labelledby": "tab-text" });
const controls = h("div", { class: "controls", id: "side-controls", role: "tabpanel", "aria-labelledby": "tab-controls" });
const tries = h("input", { type: "checkbox", role: "switch", on: { change: () => set({ tries: tries.checked }) } });

/** Put it on the page. */
export function makePreset(panel) {
  const choose = tabs(sides, [["text", "Text", "side-text", "text"], ["controls", "Controls", "side-controls", null]], null, (side) => set({ side }));
  tries.checked = state.tries;
  panel.append(h("div", { class: "preset-head" }, h("div", { class: "names" }, title, mark), tools), h("div", { class: "sides" }, sides, buttons), text, controls, problems, h("div", { class: "preset-foot" }, h("label", { class: "check" }, tries, "Try edits at once")));
  makeEditor(text);
  makeControls(controls);
  const turn = () => (choose(state.side), (text.hidden = state.side !== "text"), (controls.hidden = state.side === "text"));
  on("side", turn);
  turn();
  on("problems text subject", drawProblems);
  on("text subject world saved draft title", drawHead);
  drawHead();
}

function drawHead() {
  const shape = JSON.stringify([state.subject, state.title, state.own, isEdited(), state.draft !== null, branches()]);
  if (title.dataset.shape === shape) return;
  title.dataset.shape = shape;
  const none = state.subject === null;
  fill(title, none ? "No preset" : state.title);
  fill(mark, none ? "" : isEdited() ? [h("span", { class: "dot", "aria-hidden": "true" }), "edited"] : runId() ? "preset of a run" : state.own ? "yours" : "dreamreel’s own");
  fill(buttons, none ? [] : state.draft === null ? idle() : drafting());
  fill(tools, none ? [] : toolsNow());
}

/** Whether a branch can be made: a film of scenes or of shots has none as a whole. */
const branches = () => runId() !== null && !runNow(runId())?.whole;
const idle = () => [button("try", "Try", tryNow, { kind: "primary", keys: "Ctrl Enter" }), branches() ? button("branch", "Branch here", branch) : button("record", "Render", render)];
const drafting = () => [button("keep", "Keep", keep, { kind: "primary" }), button("stop", "End draft", endDraft, { keys: "Escape" })];

function toolsNow() {
  const words = state.own && !runId() ? "Save" : "Save as a preset of your own";
  return [
    isEdited() && button("reset", "Back to what is saved", revert, { quiet: true }),
    button("undo", "Undo", undoLast, { quiet: true, keys: "Ctrl Z" }),
    button("redo", "Redo", redoLast, { quiet: true, keys: "Ctrl Y" }),
    button("save", words, save, { quiet: true, keys: "Ctrl S" }),
  ];
}

function drawProblems() {
  const found = [...state.problems].sort((one, other) => (one.severity > other.severity) - (one.severity < other.severity) || one.line - other.line);
  if (state.subject === null) return fill(problems);
  const errors = found.filter((each) => each.severity === "error").length;
  const words = found.length === 0 ? [icon("check"), "No mistakes"] : [icon("error"), errors ? `${errors} ${errors === 1 ? "mistake" : "mistakes"}` : `${found.length} to know`];
  problems.classList.toggle("bad", errors > 0);
  fill(problems, h("p", { class: "sum" }, words), found.slice(0, SHOWN).map(makeProblem), found.length > SHOWN && h("p", { class: "dim" }, `and ${found.length - SHOWN} more, marked in the text`));
}

function makeProblem({ line, column, message, severity }) {
  const place = line === null ? "" : `Line ${line}`;
  return h("button", { type: "button", class: `problem ${severity}`, on: { click: () => (set({ side: "text" }), goTo(line ?? 1, column ?? 1)) } }, h("b", {}, severity === "error" ? place || "Mistake" : `${place} (to know)`), h("span", {}, message));
}
