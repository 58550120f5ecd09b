// The atlas: what every layer and channel of a network draws. A press puts it into the dream, another takes it out.

import { attempt, get } from "./api.js";
import { toast } from "./dialogs.js";
import { button, fill, h, icon } from "./dom.js";
import { on, set, state } from "./store.js";
import { editAtlas } from "./subject.js";

const models = h("select", { id: "atlas-model", on: { change: () => set({ model: models.value, layer: null }) } });
const layers = h("ul", { class: "layers", "aria-label": "Layers" });
const channels = h("ul", { class: "channels", "aria-label": "Channels" });
const head = h("div", { class: "atlas-head" });
const seen = new IntersectionObserver(look, { rootMargin: "120px" });
let listed = null;

/** Put it into its tab. */
export function makeAtlas(box) {
  const intro = h("p", { class: "dim" }, "Press a picture to put it into the preset’s dream; press again to take it out.");
  box.append(h("div", { class: "atlas-bar" }, h("label", { for: "atlas-model" }, "Network"), models, intro), h("div", { class: "atlas-grid" }, layers, h("section", { class: "atlas-layer" }, head, channels)));
  on("world tab", ready);
  on("model tab", drawLayers);
  on("layer", drawChannels);
  on("text", press);
}

function ready() {
  if (state.world === null || state.tab !== "atlas") return;
  if (models.options.length === 0) fill(models, state.world.models.map((name) => h("option", { value: name }, name)));
  if (!state.world.models.includes(state.model)) set({ model: modelOf(state.text, state.world.models), layer: null });
  models.value = state.model;
  drawLayers();
}

/** The network that the text names, or the usual one. */
function modelOf(text, known) {
  const named = /^\s*(?:- *)?model:\s*["']?([\w.-]+)/m.exec(text)?.[1];
  return known.includes(named) ? named : known[0];
}

async function drawLayers() {
  if (state.tab !== "atlas" || state.model === null || listed === state.model) return;
  listed = state.model;
  fill(layers, h("li", { class: "empty" }, "Looking at the network …"));
  const found = await attempt(() => get(`/api/atlas/${state.model}`));
  if (found === undefined) return void (listed = null);
  fill(layers, found.layers.map(makeLayer));
  const wished = found.layers.find((each) => each.layer === state.layer) ?? found.layers[Math.floor(found.layers.length / 2)];
  set({ layer: null });
  set({ layer: wished.layer });
  press();
}

function makeLayer({ layer, channels: count }) {
  const picture = plate(`/api/atlas/${state.model}/${layer}/layer.jpg`);
  return h("li", {}, h("button", { type: "button", class: "layer", data: { layer, count }, on: { click: () => set({ layer }) } }, picture, h("span", { class: "words" }, h("span", { class: "name" }, layer), h("span", { class: "about" }, `${count} channels`), h("span", { class: "in", hidden: true }, icon("check"), "in the dream"))));
}

function drawChannels() {
  const chosen = [...layers.querySelectorAll(".layer")].find((each) => each.dataset.layer === state.layer);
  for (const each of layers.querySelectorAll(".layer")) each.setAttribute("aria-current", each === chosen);
  if (!chosen) return fill(channels);
  chosen.scrollIntoView({ block: "nearest" });
  const { model, layer } = state;
  fill(head, h("h2", {}, layer), h("span", { class: "dim" }, `${chosen.dataset.count} channels`), button("plus", "The whole layer", () => put(null), { "aria-pressed": "false", data: { whole: "" } }));
  fill(channels, Array.from({ length: Number(chosen.dataset.count) }, (_, channel) => makeChannel(model, layer, channel)));
  press();
}

function makeChannel(model, layer, channel) {
  return h("li", {}, h("button", { type: "button", class: "channel", "aria-pressed": "false", "aria-label": `Channel ${channel}`, data: { channel }, on: { click: () => put(channel) } }, plate(`/api/atlas/${model}/${layer}/${channel}.jpg`), h("span", { class: "tag" }, icon("check"), String(channel))));
}

async function put(channel) {
  if (state.subject === null) return toast("Choose a preset on the left first", "error");
  await editAtlas(state.model, state.layer, channel);
}

/** Which pictures are in the dream, as the text says it now. */
function press() {
  if (state.tab !== "atlas") return;
  const plain = state.text.replace(/#.*$/gm, "");
  const found = [...plain.matchAll(/\blayer:\s*["']?([\w.-]+)["']?(?:\s*,\s*|\s*\n\s*)?(?:channel:\s*(\d+))?/g)].map((each) => `${each[1]} ${each[2] ?? "whole"}`);
  for (const each of channels.querySelectorAll(".channel")) each.setAttribute("aria-pressed", found.includes(`${state.layer} ${each.dataset.channel}`));
  head.querySelector("[data-whole]")?.setAttribute("aria-pressed", found.includes(`${state.layer} whole`));
  for (const each of layers.querySelectorAll(".layer")) each.querySelector(".in").hidden = !found.some((name) => name.startsWith(`${each.dataset.layer} `));
}

/** A picture that is asked for once it is in sight, and again until it is drawn. */
function plate(path) {
  const box = h("span", { class: "plate waiting", data: { path } });
  seen.observe(box);
  return box;
}

function look(entries) {
  for (const { target, isIntersecting } of entries) {
    target.dataset.seen = isIntersecting ? "yes" : "";
    if (isIntersecting) ask(target);
  }
}

async function ask(box) {
  if (box.dataset.asked || !box.isConnected) return;
  box.dataset.asked = "yes";
  while (box.isConnected && box.dataset.seen) {
    const response = await fetch(box.dataset.path).catch(() => null);
    if (response?.status === 202) {
      const { wait } = await response.json();
      await new Promise((resolve) => setTimeout(resolve, Math.min(8000, Math.max(400, 1000 * wait))));
      continue;
    }
    if (response?.ok) await place(box, await response.blob());
    else failed(box);
    return;
  }
  box.dataset.asked = "";
}

async function place(box, blob) {
  seen.unobserve(box);
  const image = h("img", { alt: "", src: URL.createObjectURL(blob) });
  await image.decode().catch(() => null);
  URL.revokeObjectURL(image.src);
  box.classList.remove("waiting");
  fill(box, image);
}

function failed(box) {
  box.classList.replace("waiting", "failed");
  fill(box, icon("error"));
}
