// Stills: drop a photograph, dream over it by the preset on the right, compare, save.

import { attempt, picture, postAsking, upload } from "./api.js";
import { toast } from "./dialogs.js";
import { button, fill, h, icon } from "./dom.js";
import { hear } from "./live.js";
import { draw } from "./pictures.js";
import { on, set, state } from "./store.js";
import { hasErrors, source } from "./subject.js";
import { Wipe } from "./wipe.js";

const KINDS = ["image/png", "image/jpeg", "image/webp", "image/tiff"];
const MOST = 24;
const before = h("canvas", { class: "picture", role: "img", "aria-label": "The photograph" });
const after = h("canvas", { class: "picture over", role: "img", "aria-label": "The dream", hidden: true });
const frame = h("div", { class: "frame" }, before, after, h("span", { class: "side a" }, "Photograph"), h("span", { class: "side b" }, "Dream"));
const file = h("input", { type: "file", id: "still-file", class: "unseen", accept: KINDS.join(","), on: { change: () => file.files.length && take([...file.files]) } });
const drop = h("label", { class: "drop", for: "still-file" }, icon("picture"), h("b", {}, "Drop a photograph here"), h("span", { class: "dim" }, "or press to choose one: PNG, JPEG, WebP or TIFF, up to 64 MB. It stays on this machine."));
const strip = h("ul", { class: "strip", "aria-label": "Photographs" });
const bar = h("div", { class: "transport" });
const stage = h("div", { class: "stage" }, frame);
const going = new Map();
let wipe;
let shown = null;

/** Put it into its tab. */
export function makeStills(box) {
  box.append(h("div", { class: "stage-box" }, stage, drop), bar, strip, file);
  wipe = new Wipe(frame, after, () => null);
  wipe.move(50);
  for (const kind of ["dragover", "drop"]) box.addEventListener(kind, (event) => event.preventDefault());
  box.addEventListener("dragover", () => box.classList.add("over"));
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => (box.classList.remove("over"), take([...event.dataTransfer.files])));
  new ResizeObserver(() => requestAnimationFrame(fit)).observe(stage);
  hear("still", told);
  on("still stills tab", drawAll);
  on("problems", drawBar);
  drawAll();
}

async function take(files) {
  const right = files.filter((each) => KINDS.includes(each.type));
  if (right.length < files.length) toast("Only PNG, JPEG, WebP and TIFF pictures can be dreamt over", "error");
  for (const each of right) await attempt(() => add(each));
  file.value = "";
}

async function add(photograph) {
  const made = await upload(`/api/stills?name=${encodeURIComponent(photograph.name)}`, photograph);
  set({ stills: [{ id: made.id, name: photograph.name, size: [made.width, made.height] }, ...state.stills].slice(0, MOST), still: made.id, tab: "stills" });
}

const now = () => state.stills.find((each) => each.id === state.still) ?? null;

async function dream() {
  if (hasErrors()) return toast("Mend the mistakes in the preset first", "error");
  if (state.subject === null) return toast("Choose a preset on the left first: its dream is used", "error");
  await attempt(() => postAsking(`/api/stills/${state.still}/dream`, { text: state.text, ...source() }));
}

function told(message) {
  going.set(message.id, message);
  if (message.id !== state.still) return;
  drawBar();
  if (message.state === "finished") show(true);
}

function drawAll() {
  if (state.tab !== "stills") return;
  const still = now();
  drop.hidden = still !== null;
  stage.hidden = still === null;
  fill(strip, state.stills.length ? [h("li", {}, h("label", { class: "add", for: "still-file", title: "Another photograph" }, icon("plus"), h("span", {}, "Add"))), state.stills.map(makeThumb)] : []);
  drawBar();
  if (still !== null && shown !== still.id) show(false);
}

function makeThumb({ id, name }) {
  const image = h("img", { src: `/api/stills/${id}/original.jpg`, alt: "", loading: "lazy", on: { error: () => forget(id) } });
  return h("li", {}, h("button", { type: "button", class: "thumb-button", "aria-current": id === state.still, "aria-label": name, title: name, on: { click: () => set({ still: id }) } }, image));
}

/** A photograph whose file is gone. */
function forget(id) {
  const stills = state.stills.filter((each) => each.id !== id);
  set({ stills, still: state.still === id ? (stills[0]?.id ?? null) : state.still });
}

async function show(again) {
  const still = now();
  if (!again) wipe.show(false);
  shown = still.id;
  const [photograph, dreamt] = await Promise.all([picture(`/api/stills/${still.id}/original.jpg`).catch(() => null), picture(`/api/stills/${still.id}/result.jpg?${Date.now()}`).catch(() => null)]);
  if (shown !== still.id || photograph === null) return;
  await draw(before, photograph);
  if (dreamt !== null) await draw(after, dreamt);
  frame.classList.toggle("both", dreamt !== null);
  wipe.show(dreamt !== null);
  still.dreamt = dreamt !== null;
  fit();
  drawBar();
}

function fit() {
  const still = now();
  if (still === null || !stage.clientWidth) return;
  const scale = Math.min(stage.clientWidth / still.size[0], stage.clientHeight / still.size[1], 2);
  frame.style.width = `${Math.floor(still.size[0] * scale)}px`;
  frame.style.height = `${Math.floor(still.size[1] * scale)}px`;
}

function drawBar() {
  const still = now();
  bar.hidden = still === null;
  if (still === null) return;
  const news = going.get(still.id);
  const busy = news?.state === "dreaming" || news?.state === "waiting";
  const progress = busy && h("progress", { max: "1", value: news.progress ?? 0, "aria-label": "How far the dream is" });
  const words = busy ? (news.state === "waiting" ? "Getting ready" : `Dreaming, ${Math.round(100 * (news.progress ?? 0))} %`) : `${still.name} · ${still.size[0]} × ${still.size[1]}`;
  const failed = news?.state === "failed" && h("p", { class: "warning" }, news.message);
  fill(bar, h("div", { class: "row" }, button("try", still.dreamt ? "Dream again" : "Dream over it", dream, { kind: "primary", ...(busy ? { disabled: true } : {}) }), progress, h("p", { class: "time" }, h("span", {}, words)), still.dreamt && h("a", { class: "button", href: `/api/stills/${still.id}/result.png`, download: `${still.name.replace(/\.\w+$/, "")}-dream.png` }, icon("save"), "Save")), failed);
}
