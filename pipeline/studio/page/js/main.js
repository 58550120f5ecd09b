// The page: its parts, the tabs, and what is looked at first.

import { makeAtlas } from "./atlas.js";
import { makeCurves } from "./curves.js";
import { showKeys } from "./dialogs.js";
import { button, fill, h, icon, tabs } from "./dom.js";
import { makeFilm } from "./film.js";
import { listenToKeys } from "./keys.js";
import { connect } from "./live.js";
import { makePreset } from "./preset.js";
import { makeShelf } from "./shelf.js";
import { makeStills } from "./stills.js";
import { on, set, state } from "./store.js";
import { look } from "./subject.js";
import { makeTransport } from "./transport.js";

const TABS = [["film", "Film", "panel-film", "film"], ["atlas", "Atlas", "panel-atlas", "picture"], ["stills", "Stills", "panel-stills", "try"]];
const PANES = [["shelf", "Shelf", "folder"], ["work", "Picture", "film"], ["preset", "Preset", "text"]];
const LINKS = {
  lost: "The connection is lost; it comes back by itself. If not: is `dreamreel studio` still running?",
  locked: "The studio was started anew. Open the link that it printed in the terminal.",
  crowded: "Too many pages of this studio are open. Close some, then load this one again.",
};
const at = (id) => document.getElementById(id);
let begun = false;

function makeTabs() {
  const panels = TABS.map(([id]) => h("section", { id: `panel-${id}`, class: `panel ${id}`, role: "tabpanel", "aria-labelledby": `tab-${id}` }));
  at("work").append(...panels);
  const choose = tabs(at("tabs"), TABS, null, (tab) => set({ tab, pane: "work" }));
  const turn = () => {
    choose(state.tab);
    for (const panel of panels) panel.hidden = panel.id !== `panel-${state.tab}`;
  };
  on("tab", turn);
  turn();
  return panels;
}

function makePanes() {
  const made = PANES.map(([pane, words, name]) => h("button", { type: "button", data: { pane }, on: { click: () => set({ pane }) } }, icon(name), words));
  at("panes").append(...made);
  const turn = () => {
    at("app").dataset.pane = state.pane;
    for (const each of made) each.setAttribute("aria-current", each.dataset.pane === state.pane);
  };
  on("pane", turn);
  turn();
}

function drawLink() {
  const words = LINKS[state.link] ?? "";
  const link = at("link");
  link.hidden = words === "";
  fill(link, words && icon("error"), words);
}

/** The first news: what was looked at before the reload, else a run, else a preset. */
function begin() {
  if (begun || state.world === null) return;
  begun = true;
  const { runs, presets, folder } = state.world;
  fill(at("folder"), folder);
  const known = new Set([...runs.map((run) => `run:${run.id}`), ...presets.map((preset) => `preset:${preset.id}`)]);
  const first = known.has(state.subject) ? state.subject : [...known].at(0);
  if (first === undefined) return set({ subject: null });
  const run = runs.find((each) => `run:${each.id}` === first);
  const running = run?.state === "rendering" || run?.state === "waiting";
  const same = first === state.subject;
  set({ follow: running && (!same || state.follow) });
  look(first, same ? state.frame : Math.max(0, (run?.frames ?? 0) - 1));
}

if (!TABS.some(([id]) => id === state.tab)) state.tab = "film";
makeShelf(at("shelf"));
const [film, atlas, stills] = makeTabs();
makeFilm(film);
makeTransport(film);
makeCurves(film);
makeAtlas(atlas);
makeStills(stills);
makePreset(at("preset"));
makePanes();
at("top-buttons").append(button("help", "Keys", showKeys, { quiet: true, keys: "?" }));
listenToKeys();
on("world", begin);
on("link", drawLink);
drawLink();
at("app").hidden = false;
connect();
