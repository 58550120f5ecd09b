// The curves below the film. Each has a scale of its own, a dash of its own beside its colour, and its value at the frame on screen.

import uPlot from "/page/vendor/uplot.js";
import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { isRunning, run, seek } from "./player.js";
import { newest, on, set, state } from "./store.js";
import { short } from "./times.js";

const COLOURS = ["#f2a65a", "#7fb7ff", "#8fd694", "#e48fb5", "#c9b6ff", "#e6d96a", "#6fd3cf", "#ff8f7a"];
const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4]];
const EVERY_MS = 3000;
const chips = h("div", { class: "chips", role: "group", "aria-label": "Curves" });
const plot = h("div", { class: "plot" });
const box = h("div", { class: "curves" }, chips, plot);
let chart = null;
let figures = null;
let drawnFor = "";

/** Put them into the film's tab. */
export function makeCurves(parent) {
  parent.append(box);
  new ResizeObserver(() => requestAnimationFrame(resize)).observe(plot);
  on("subject run", () => ((figures = null), drawAll(), fetchThem()));
  on("frame", () => (chart?.redraw(false), drawValues()));
  on("hidden", drawAll);
  on("world", () => state.world && run()?.state !== drawnFor && fetchThem());
  setInterval(() => isRunning(run()) && !document.hidden && state.tab === "film" && fetchThem(), EVERY_MS);
}

const fetchThem = newest(async () => {
  const now = run();
  if (!now?.fps) return;
  const found = await get(`/api/runs/${now.id}/figures`).catch(() => null);
  if (found === null || run()?.id !== now.id) return;
  figures = found;
  drawnFor = now.state;
  drawAll();
});

const names = () => Object.keys(figures?.series ?? {}).filter((name) => figures.series[name].some((value) => value !== null));
const style = (index) => ({ stroke: COLOURS[index % COLOURS.length], dash: DASHES[Math.floor(index / COLOURS.length) % DASHES.length].length ? DASHES[Math.floor(index / COLOURS.length) % DASHES.length] : DASHES[index % DASHES.length] });

function drawAll() {
  drawChips();
  chart?.destroy();
  chart = null;
  const all = names();
  const shown = all.filter((name) => !state.hidden.includes(name));
  plot.hidden = all.length === 0;
  if (all.length === 0 || plot.clientWidth < 40) return;
  const seconds = figures.frames.map((frame) => frame / figures.fps);
  const series = shown.map((name) => ({ label: name, scale: name, width: 1.5, points: { show: false }, ...style(all.indexOf(name)) }));
  const scales = Object.fromEntries(shown.map((name) => [name, { range: (self, low, high) => padded(low, high) }]));
  chart = new uPlot({ ...size(), legend: { show: false }, cursor: { y: false, points: { show: false }, drag: { x: false, y: false } }, padding: [8, 8, 0, 8], scales: { x: { time: false }, ...scales }, axes: [axis()], series: [{}, ...series], hooks: { drawClear: [drawBeats], draw: [drawHead], ready: [listen] } }, [seconds, ...shown.map((name) => figures.series[name])], plot);
}

function padded(low, high) {
  if (low === null || high === null) return [0, 1];
  const room = high - low < 1e-9 ? Math.max(1e-3, Math.abs(high) * 0.1) : (high - low) * 0.08;
  return [low - room, high + room];
}

const axis = () => ({ stroke: "#9aa3ae", font: "11px system-ui, sans-serif", size: 24, gap: 4, grid: { stroke: "#23272e", width: 1 }, ticks: { show: false }, values: (self, ticks) => ticks.map((tick) => `${tick} s`) });
const size = () => ({ width: plot.clientWidth, height: Math.max(60, plot.clientHeight) });

function resize() {
  if (chart) chart.setSize(size());
  else drawAll();
}

function line(self, second, colour, width) {
  const { left, top, width: wide, height } = self.bbox;
  const x = Math.round(self.valToPos(second, "x", true)) + 0.5;
  if (x < left || x > left + wide) return;
  self.ctx.fillStyle = colour;
  self.ctx.fillRect(x, top, width, height);
}

function drawBeats(self) {
  for (const beat of figures?.beats ?? []) line(self, beat, "rgba(255,255,255,.09)", devicePixelRatio);
}

function drawHead(self) {
  if (figures) line(self, state.frame / figures.fps, "#ffffff", Math.max(1, devicePixelRatio));
}

/** A press on the plot goes there, and a drag scrubs. */
function listen(self) {
  const go = ({ clientX }) => {
    const { left } = self.over.getBoundingClientRect();
    seek(self.posToVal(clientX - left, "x") * figures.fps);
  };
  self.over.addEventListener("pointerdown", (event) => {
    self.over.setPointerCapture(event.pointerId);
    go(event);
  });
  self.over.addEventListener("pointermove", (event) => event.buttons && go(event));
}

function drawChips() {
  const all = names();
  const made = all.map((name, index) => {
    const { stroke, dash } = style(index);
    const swatch = h("canvas", { class: "swatch", width: 36, height: 8, "aria-hidden": "true" });
    paint(swatch, stroke, dash);
    return h("button", { type: "button", class: "chip", title: figures.labels[name] ?? null, "aria-pressed": !state.hidden.includes(name), data: { name }, on: { click: () => flip(name) } }, swatch, h("span", {}, name), h("output", {}));
  });
  const beats = figures?.beats?.length ? h("span", { class: "dim" }, `${figures.beats.length} beats`) : null;
  const none = h("p", { class: "empty" }, run() ? "The curves begin with the first frames." : "Brightness, colour, sharpness, sound and all moving numbers of a run are drawn here.");
  fill(chips, made.length ? [made, beats] : none);
  if (figures?.labels.error) chips.append(h("span", { class: "warning" }, figures.labels.error));
  drawValues();
}

function paint(canvas, stroke, dash) {
  const context = canvas.getContext("2d");
  Object.assign(context, { strokeStyle: stroke, lineWidth: 3 });
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(0, 4);
  context.lineTo(36, 4);
  context.stroke();
}

function flip(name) {
  set({ hidden: state.hidden.includes(name) ? state.hidden.filter((each) => each !== name) : [...state.hidden, name] });
  chips.querySelector(`[data-name="${CSS.escape(name)}"]`)?.focus();
}

function drawValues() {
  if (!figures) return;
  const until = figures.frames.findIndex((frame) => frame > state.frame);
  for (const chip of chips.querySelectorAll(".chip")) {
    const known = figures.series[chip.dataset.name].slice(0, until < 0 ? undefined : until);
    chip.querySelector("output").textContent = short(known.findLast((value) => value !== null));
  }
}
