// Runs: begun, stopped, gone on with, branched.

import { attempt, post, postAsking } from "./api.js";
import { askFor, confirm, toast } from "./dialogs.js";
import { state, set } from "./store.js";
import { isEdited, look, runId, source } from "./subject.js";
import { runNow } from "./live.js";

const lookWhenThere = async (id) => {
  await look(`run:${id}`);
  set({ follow: true, tab: "film", pane: "work" });
};

/** Render the text as it stands. */
export async function render() {
  await attempt(async () => {
    const begun = await postAsking("/api/runs", { text: state.text, name: null, ...source() });
    if (begun === null) return;
    toast("The render has begun; it goes on when this page is closed");
    await lookWhenThere(begun.id);
  });
}

export const stop = (id) => attempt(() => post(`/api/runs/${id}/stop`).then(() => toast("It stops once its frame is finished")));
export const resume = (id) => attempt(() => post(`/api/runs/${id}/resume`).then(() => id === runId() && set({ follow: true })));
export const reveal = (id) => attempt(() => post(`/api/runs/${id}/reveal`));

/** Go on otherwise from the second on screen, by the text as it stands. */
export async function branch() {
  const run = runNow(runId());
  if (!isEdited()) return confirm("A branch goes on otherwise", "Change something in the preset first, as text or by a control. The branch keeps all frames up to this one, and goes on with your changes.", "All right");
  const second = Number((state.frame / run.fps).toFixed(3));
  const fields = [["at", "From second", String(second), `The frames before it are those of ${run.name}.`], ["name", "Name", `${run.name}-at-${second}s`]];
  const said = await askFor(`Branch ${run.name}`, fields, "Branch");
  if (said === null) return;
  await attempt(async () => {
    const begun = await postAsking(`/api/runs/${run.id}/branch`, { at: `${said.at.replace(/\s*s$/, "")}s`, text: state.text, name: said.name || null });
    if (begun !== null) await lookWhenThere(begun.id);
  });
}
