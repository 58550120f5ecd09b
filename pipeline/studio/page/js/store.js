// What this page remembers, and who is told of changes. Texts and choices outlive a reload; where one is stands in the address.

const KEY = "dreamreel-studio";
const KEPT = {
  tab: "film", side: "text", pane: "work", subject: null, frame: 0, other: null, wipe: 50, zoom: "fit", texts: {},
  hidden: ["contrast", "clipped", "scale", "low", "mid", "high", "kick", "snare", "hat"], tries: true, muted: false, model: null, layer: null, stills: [], still: null, all: false, follow: true, folded: [],
};
const PLACE = ["tab", "subject", "frame"];

export const state = { ...KEPT, ...remembered("localStorage"), ...placed(), world: null, run: null, draft: null, problems: [], edits: 0, text: "", title: "", own: false, playing: 0 };
const listeners = [];
let waiting = null;

/** Call `work` whenever one of the names has changed. */
export function on(names, work) {
  listeners.push([new Set(names.split(" ")), work]);
}

/** Change some of the state. */
export function set(changes) {
  const changed = Object.keys(changes).filter((name) => state[name] !== changes[name]);
  Object.assign(state, changes);
  for (const [names, work] of listeners) if (changed.some((name) => names.has(name))) work();
  if (changed.some((name) => name in KEPT)) waiting ??= setTimeout(remember, 250);
}

/** Write down what is kept. */
export function remember() {
  clearTimeout(waiting);
  waiting = null;
  const kept = Object.fromEntries(Object.keys(KEPT).map((name) => [name, state[name]]));
  try {
    for (const store of [localStorage, sessionStorage]) store.setItem(KEY, JSON.stringify(kept));
  } catch {
    // A private window has no room: the page works, and forgets.
  }
  const place = new URLSearchParams(PLACE.filter((name) => state[name] !== null).map((name) => [name, state[name]]));
  history.replaceState(null, "", `#${place}`);
}

function remembered(store) {
  try {
    return JSON.parse(window[store].getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

/** A reload finds this very tab's state, whatever others have remembered since; else the address says where to begin. */
function placed() {
  const type = performance.getEntriesByType("navigation")[0]?.type;
  return type === "reload" ? { ...addressed(), ...remembered("sessionStorage") } : addressed();
}

function addressed() {
  const place = new URLSearchParams(location.hash.slice(1));
  const found = Object.fromEntries(PLACE.filter((name) => place.has(name)).map((name) => [name, place.get(name)]));
  if ("frame" in found) found.frame = Math.max(0, Number.parseInt(found.frame, 10) || 0);
  return found;
}

addEventListener("pagehide", remember);

/** Begin as if the page had never been open here. */
export function forget() {
  removeEventListener("pagehide", remember);
  clearTimeout(waiting);
  waiting = 0;
  for (const store of [localStorage, sessionStorage]) store.removeItem(KEY);
}

/** One call at a time; of those that come meanwhile only the newest is made, so that nothing queues. */
export function newest(work) {
  let next = null;
  let busy = false;
  return async (...given) => {
    next = given;
    if (busy) return;
    busy = true;
    try {
      while (next !== null) {
        const now = next;
        next = null;
        await work(...now);
      }
    } finally {
      busy = false;
    }
  };
}

/** Call later, once no other call has come for so many milliseconds. */
export function later(milliseconds, work) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
}
