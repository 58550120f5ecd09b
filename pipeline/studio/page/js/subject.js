// What is worked on: a preset or a run, its text as it stands in the editor, and the mistakes in that.

import { attempt, get, post, put } from "./api.js";
import { askFor, toast } from "./dialogs.js";
import { later, newest, on, set, state } from "./store.js";

let original = "";
let looks = 0;

/** The id of the run that is looked at, or null. */
export const runId = () => (state.subject?.startsWith("run:") ? state.subject.slice(4) : null);
const presetId = () => (state.subject?.startsWith("preset:") ? state.subject.slice(7) : null);

/** Whose text it is, as the studio wants to know. */
export const source = () => (runId() ? { run: runId() } : presetId() ? { preset: presetId() } : {});

/** The preset that is looked at, as the shelf lists it, or null. */
export const presetNow = () => state.world?.presets.find((each) => each.id === presetId()) ?? null;

/** A preset's picture: its own, else one of a film that was made of it. */
export function posterOf(preset) {
  const made = (run) => run.poster !== null && run.name.replace(/-\d+$/, "") === preset.name;
  return preset.poster ?? state.world.runs.find(made)?.poster ?? null;
}

export const isEdited = () => state.text !== original;
export const hasErrors = () => state.problems.some((each) => each.severity === "error");

/** Look at something else. What was written and not saved stays with what it was written for. */
export async function look(subject, frame = 0) {
  if (subject === state.subject && state.opened === subject) return;
  const mine = ++looks;
  const [kind, id] = subject.split(":");
  const found = await attempt(() => get(kind === "run" ? `/api/runs/${id}` : `/api/presets/${id}`));
  if (mine !== looks) return;
  if (found === undefined) return void (subject === state.subject && set({ subject: null, text: "", run: null }));
  original = found.text;
  const text = state.texts[subject] ?? original;
  set({ subject, frame, draft: null, playing: 0, problems: [], run: kind === "run" ? found : null, title: found.name, own: found.own ?? false, text, opened: subject });
}

/** The text became another, by the person or by a control. */
export function wrote(text) {
  const texts = { ...state.texts };
  if (text === original) delete texts[state.subject];
  else texts[state.subject] = text;
  set({ text, texts, edits: state.edits + 1 });
}

const check = newest(async (text, subject) => {
  const found = await post("/api/check", { text, ...source() }).catch((error) => error);
  if (subject !== state.subject || text !== state.text) return;
  if (found.problems === undefined || found instanceof Error) return toast(found.message, "error");
  set({ problems: found.problems, checked: text });
});
const checkSoon = later(120, () => state.subject && check(state.text, state.subject));
on("text subject", checkSoon);

/** Set one key in the text; comments and all else stay. Undefined takes it out. */
export const edit = newest(async (key, value) => {
  await attempt(async () => set({ written: { text: (await post("/api/edit", { text: state.text, key, value: value ?? null })).text } }));
});

/** Put a layer or a channel into the dream, or take it out. */
export async function editAtlas(model, layer, channel) {
  const found = await attempt(() => post("/api/atlas/edit", { text: state.text, model, layer, channel }));
  if (found) set({ written: { text: found.text, line: found.line } });
  return found !== undefined;
}

/** Write the preset down, where it is one's own; else as a new one. */
export async function save() {
  if (presetId() === null || !state.own) return saveAs();
  await attempt(async () => {
    await put(`/api/presets/${presetId()}`, { text: state.text });
    original = state.text;
    wrote(state.text);
    toast(`${state.title} is saved`);
    set({ saved: Date.now() });
  });
}

async function saveAs() {
  const said = await askFor("Save as a preset of your own", [["name", "Name", `my-${state.title}`, "It is written into the studio’s folder."]], "Save");
  if (said === null) return;
  await attempt(async () => {
    const { text } = state;
    const { id } = await post("/api/presets", { name: said.name, text });
    const texts = { ...state.texts };
    delete texts[state.subject];
    set({ texts });
    toast(`${said.name} is saved`);
    await look(`preset:${id}`);
  });
}

/** Back to what is saved. */
export const revert = () => set({ written: { text: original } });
