// Elements and icons.

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  play: "M5 3.5v9l7.5-4.5z", pause: "M4.5 3.5v9M11.5 3.5v9", stop: "M4 4h8v8H4z",
  back: "M10.5 3.5 5.5 8l5 4.5", next: "M5.5 3.5l5 4.5-5 4.5", first: "M11.5 3.5 6.5 8l5 4.5M4.5 3.5v9", last: "M4.5 3.5l5 4.5-5 4.5M11.5 3.5v9",
  undo: "M5.5 3 2.5 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H6", redo: "M10.5 3l3 3-3 3M13 6H6.5a3.5 3.5 0 0 0 0 7H10",
  check: "M3.5 8.5l3 3 6-7", error: "M8 2.5 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.2", wait: "M8 2.5a5.5 5.5 0 1 0 5.5 5.5M8 5v3.2l2 1.3",
  branch: "M4.5 3v10M4.5 9.5c0-3 7-1.5 7-5.5M11.5 3v1.5", folder: "M2 4.5h4l1.5 1.5H14v6.5H2z", help: "M6 6.2c0-2.8 4-2.8 4-.2 0 1.7-2 1.8-2 3.5M8 11.8v.2",
  close: "M4 4l8 8M12 4l-8 8", record: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6z", save: "M8 2.5v7M5 7l3 3 3-3M3 13h10",
  try: "M8.8 2 4 9h3.5l-.6 5L12 6.8H8.3z", keep: "M4.5 2.5h7v11L8 10.8l-3.5 2.7z", reset: "M3.5 8a4.5 4.5 0 1 0 1.6-3.4M5 2v3h3",
  sound: "M3 6.3v3.4h2.3L8.5 12.5v-9L5.3 6.3zM10.8 5.8c1.2 1.2 1.2 3.2 0 4.4", mute: "M3 6.3v3.4h2.3L8.5 12.5v-9L5.3 6.3zM10.8 6.3l3 3.4M13.8 6.3l-3 3.4",
  picture: "M2.5 3.5h11v9h-11zM3 11l3-3.2 2.4 2.4 2-1.8L13 11", film: "M2.5 3.5h11v9h-11zM5 3.5v9M11 3.5v9M2.5 8h11", text: "M3 4.5h10M3 8h7M3 11.5h9", plus: "M8 3.5v9M3.5 8h9",
};
const FILLED = new Set(["play", "stop", "record", "keep", "try"]);

/** An element. Properties: `class`, `on` (listeners), `data`; other names are attributes, or left out where they are null or false. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) put(element, name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function put(element, name, value) {
  if (name === "class") element.className = value;
  else if (name === "on") for (const [event, work] of Object.entries(value)) element.addEventListener(event, work);
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name === "value" || name === "checked" || name === "indeterminate") element[name] = value;
  else if (name.startsWith("aria-") && typeof value === "boolean") element.setAttribute(name, String(value));
  else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
}

/** A drawing of 16 by 16 that says nothing by itself. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", FILLED.has(name) ? "icon filled" : "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon and words; `quiet` shows the icon alone and says the words. */
export function button(name, words, work, { quiet = false, kind = "", keys = "", ...more } = {}) {
  const title = keys ? `${words} (${keys})` : words;
  return h(
    "button",
    { type: "button", class: `button ${kind} ${quiet ? "quiet" : ""}`.trim(), title: quiet || keys ? title : null, "aria-label": quiet ? words : null, on: { click: work }, ...more },
    name && icon(name),
    !quiet && h("span", {}, words),
  );
}

/** Put children in the place of those that are there. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Tabs in a tablist that is there; arrows move between them. */
export function tabs(list, all, chosen, choose) {
  const made = all.map(([id, words, panel, name]) =>
    h("button", { type: "button", class: "tab", role: "tab", id: `tab-${id}`, "aria-controls": panel, data: { id }, on: { click: () => choose(id) } }, name && icon(name), words),
  );
  list.replaceChildren(...made);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const other = made[(made.indexOf(document.activeElement) + step + made.length) % made.length];
    other.focus();
    choose(other.dataset.id);
  });
  return (id) => made.forEach((tab) => mark(tab, tab.dataset.id === id));
}

function mark(tab, chosen) {
  tab.setAttribute("aria-selected", chosen);
  tab.tabIndex = chosen ? 0 : -1;
}
