// Questions, short messages, and the list of keys.

import { button, h, icon } from "./dom.js";

/** Say something for some seconds; mistakes stay until they are closed. */
export function toast(words, kind = "check") {
  const list = document.getElementById("toasts");
  const same = [...list.children].find((each) => each.dataset.words === words);
  same?.remove();
  const made = h("div", { class: kind === "error" ? "toast error" : "toast", data: { words } }, icon(kind), h("p", {}, words), button("close", "Close", () => made.remove(), { quiet: true }));
  list.append(made);
  while (list.children.length > 3) list.firstChild.remove();
  setTimeout(() => made.remove(), kind === "error" ? 15000 : 4000);
}

function open(title, content, buttons) {
  const id = `dialog-${Math.random().toString(36).slice(2)}`;
  const dialog = h("dialog", { "aria-labelledby": id }, h("form", { method: "dialog" }, h("h2", { id }, title), content, h("div", { class: "buttons end" }, buttons)));
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

const cancel = () => h("button", { class: "button", value: "" }, "Cancel");
const go = (words) => h("button", { class: "button primary", value: "yes" }, words);

function answered(dialog) {
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes")));
}

/** Ask for some words and numbers: `fields` are [name, label, value, help]. Null where the person leaves. */
export async function askFor(title, fields, words, note = "") {
  const inputs = fields.map(([name, label, value, help]) => [name, h("input", { id: `ask-${name}`, value, autocomplete: "off", "aria-describedby": help ? `ask-${name}-help` : null }), label, help]);
  const rows = inputs.map(([name, input, label, help]) => h("p", { class: "ask" }, h("label", { for: `ask-${name}` }, label), input, help && h("span", { class: "dim", id: `ask-${name}-help` }, help)));
  const dialog = open(title, h("div", {}, note && h("p", {}, note), rows), [go(words), cancel()].reverse());
  // Enter means yes, although the first button is the other.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    dialog.close("yes");
  });
  inputs[0][1].focus();
  inputs[0][1].select();
  return (await answered(dialog)) ? Object.fromEntries(inputs.map(([name, input]) => [name, input.value.trim()])) : null;
}

/** Whether the person agrees. */
export function confirm(title, note, words) {
  return answered(open(title, h("p", {}, note), [cancel(), go(words)]));
}

/** Whether a preset may open files outside the folder. */
export function askToOpen(files) {
  const list = h("ul", { class: "files" }, files.map((file) => h("li", {}, file)));
  const note = h("div", {}, h("p", {}, "It reads these files, which lie outside the studio’s folder:"), list, h("p", { class: "dim" }, "Allow it only if you trust where the preset comes from."));
  return answered(open("This preset opens other files", note, [cancel(), go("Open them")]));
}

const KEYS = [
  ["Space", "play, pause"], ["← →", "one frame back, one on"], ["Shift ← →", "one second back, one on"], ["Home End", "first frame, newest frame"],
  ["J K L", "play backwards, pause, play; again: faster"], ["Z", "fit, or one pixel to a pixel"], ["Ctrl Enter", "try the preset from this frame on"],
  ["Escape", "end the draft"], ["Ctrl S", "save the preset"], ["Ctrl Z", "undo, Ctrl Y redo: in the text, also what controls did"], ["1 2 3", "film, atlas, stills"], ["?", "this list"],
];

/** The list of keys. */
export function showKeys() {
  const rows = KEYS.map(([keys, words]) => h("div", {}, h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, words)));
  open("Keys", h("dl", { class: "keys" }, rows), h("button", { class: "button primary", value: "" }, "Close"));
}
