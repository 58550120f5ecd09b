// The connection that tells how everything stands and brings pictures. It comes back by itself.

import { get } from "./api.js";
import { set, state } from "./store.js";

const PAUSES = [300, 1000, 3000];
const handlers = { frame: [], draft: [], still: [] };
let socket = null;
let watched = { watch: null };
let about = null;
let tries = 0;

/** Call with every message of a kind; pictures come as (message, blob). */
export function hear(kind, work) {
  handlers[kind].push(work);
}

/** See pictures of a run or of a draft; null for none. */
export function watch(id, width) {
  const wanted = { watch: id, width: width ?? null };
  if (wanted.watch === watched.watch && wanted.width === watched.width) return;
  watched = wanted;
  say(watched);
}

function say(what) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what));
}

/** Connect, and again whenever the connection is lost. */
export function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
  socket.binaryType = "blob";
  socket.addEventListener("open", opened);
  socket.addEventListener("message", ({ data }) => (typeof data === "string" ? told(JSON.parse(data)) : pictured(data)));
  socket.addEventListener("close", closed);
}

function opened() {
  tries = 0;
  set({ link: "open" });
  if (watched.watch !== null) say(watched);
}

async function closed(event) {
  if (event.code === 1013) return set({ link: "crowded" });
  set({ link: "lost" });
  setTimeout(connect, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
  if (tries === 2) await get("/api/state").catch((error) => error.status === 401 && set({ link: "locked" }));
}

function told(message) {
  if (message.type === "state") set({ world: message });
  else if (message.type === "frame") about = message;
  else for (const work of handlers[message.type] ?? []) work(message);
}

async function pictured(blob) {
  const message = about;
  try {
    for (const work of handlers.frame) await work(message, blob);
  } finally {
    say({ got: message.frame });
  }
}

/** The run that is looked at, as it was told last. */
export const runNow = (id) => state.world?.runs.find((run) => run.id === id) ?? null;
