// What keys do, wherever the focus is; in a text field only those with Ctrl.

import { showKeys } from "./dialogs.js";
import { endDraft, tryNow } from "./drafts.js";
import { redoLast, undoLast } from "./editor.js";
import { play, second, seek, shuttle, step, toEnd, toggle } from "./player.js";
import { set, state } from "./store.js";
import { save } from "./subject.js";
import { turnZoom } from "./transport.js";

const FILM = {
  " ": toggle, ArrowLeft: () => step(-1), ArrowRight: () => step(1), "Shift ArrowLeft": () => step(-second()), "Shift ArrowRight": () => step(second()), Home: () => seek(0), End: toEnd,
  j: () => shuttle(-1), k: () => play(0), l: () => shuttle(1), z: turnZoom,
};
const ANYWHERE = { "?": showKeys, "Shift ?": showKeys, 1: () => set({ tab: "film" }), 2: () => set({ tab: "atlas" }), 3: () => set({ tab: "stills" }) };
const WITH_CTRL = { Enter: tryNow, s: save };
const UNDO = { z: undoLast, y: redoLast, "Shift z": redoLast };

const isField = (element) => element.matches("input:not([type=range], [type=checkbox]), textarea, select, [contenteditable=true]");
/** What takes the key for itself. */
const takes = (element, key) => (key === " " && element.matches("button, input, a, summary")) || (/Arrow|Home|End/.test(key) && element.matches("input:not(.scrub), [role=tab], [role=slider]"));

/** Listen. */
export function listenToKeys() {
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const work = find(event);
    if (!work) return;
    event.preventDefault();
    work();
  });
}

function find(event) {
  const { target } = event;
  const key = `${event.shiftKey ? "Shift " : ""}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`;
  if (event.ctrlKey || event.metaKey) return WITH_CTRL[key] ?? (isField(target) ? null : UNDO[key]);
  if (event.altKey) return null;
  if (key === "Escape" && state.draft && !target.closest(".cm-editor")) return endDraft;
  if (isField(target) || takes(target, event.key)) return null;
  return ANYWHERE[key] ?? (state.tab === "film" ? FILM[key] : null);
}
