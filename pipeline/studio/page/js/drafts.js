// Drafts: an edit rendered at once and small, from the frame on screen; steered by the next edits, and kept as a branch.

import { attempt, post, postAsking } from "./api.js";
import { askFor, toast } from "./dialogs.js";
import { hear, runNow, watch } from "./live.js";
import { newest, on, set, state } from "./store.js";
import { hasErrors, isEdited, look, runId, source } from "./subject.js";

const WIDTH = 320;
let steered = "";
let wished = false;

const begin = newest(async (send) => {
  if (state.subject === null) return;
  if (hasErrors()) return toast("Mend the mistakes in the preset first", "error");
  const looked = runNow(runId());
  const run = looked?.whole ? null : looked; // of scenes or shots: from the beginning
  const frame = run?.frames ? Math.min(state.frame, run.frames - 1) : null;
  const { text, subject } = state;
  await attempt(async () => {
    const begun = await send("/api/drafts", { text, ...source(), frame, width: WIDTH });
    if (begun === null || subject !== state.subject) return;
    steered = text;
    set({ draft: { id: begun.id, state: "waiting", message: "", from: frame, of: run }, playing: 0, tab: "film" });
    watch(begun.id, WIDTH);
  });
});

/** Begin a draft of the text as it stands. */
export const tryNow = () => begin(postAsking);

const steer = newest(async () => {
  const { draft, text } = state;
  if (draft === null || text === steered) return;
  try {
    await post(`/api/drafts/${draft.id}/steer`, { text });
    steered = text;
  } catch (error) {
    if (error.status === 404) return void tryNow();
    if (state.draft) set({ draft: { ...state.draft, message: error.message } });
  }
});

/** End it; the film is on screen again. */
export async function endDraft() {
  const { draft } = state;
  if (draft === null) return;
  set({ draft: null });
  await post(`/api/drafts/${draft.id}/stop`).catch(() => null);
}

/** Make it a film of the real size: a branch of its run, or a run. */
export async function keep() {
  const { draft } = state;
  const at = draft.of === null ? "" : `-at-${Number((draft.from / draft.of.fps).toFixed(2))}s`;
  const note = draft.of === null ? "It is rendered from its beginning, in its real size." : `It goes on from ${draft.of.name} after the frame that was on screen, in its real size.`;
  const said = await askFor("Keep this draft", [["name", "Name", `${draft.of?.name ?? state.title}${at}`]], "Keep", note);
  if (said === null) return;
  await attempt(async () => {
    const { id } = await post(`/api/drafts/${draft.id}/keep`, { name: said.name || null });
    set({ draft: null });
    toast("Kept: it is rendered in its real size now");
    await look(`run:${id}`);
    set({ follow: true });
  });
}

hear("draft", (message) => {
  if (message.id !== state.draft?.id) return;
  if (message.state === "stopped") return set({ draft: null });
  if (message.state === "failed") toast(`The draft ended: ${message.message}`, "error");
  set({ draft: message.state === "failed" ? null : { ...state.draft, state: message.state, message: message.message } });
});

// A text is tried once it was found to be right; what was written before the page was opened waits for its person.
on("edits", () => (wished = true));
on("opened", () => (wished = false));
on("checked problems", () => {
  if (hasErrors() || state.checked !== state.text) return;
  if (state.draft !== null) steer();
  else if (wished && state.tries && isEdited() && state.tab === "film") begin(post); // nobody is asked about files in the middle of a word
  wished = false;
});
