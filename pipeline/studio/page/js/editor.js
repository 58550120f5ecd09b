// The preset as text: coloured, completed, and marked under the very characters that are wrong.

import {
  EditorState, EditorView, HighlightStyle, autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap, completionKeymap, defaultKeymap, drawSelection, foldGutter, foldKeymap,
  highlightActiveLine, highlightActiveLineGutter, highlightSelectionMatches, history, historyKeymap, indentOnInput, indentUnit, indentWithTab, keymap, lineNumbers, lintGutter, lintKeymap, redo,
  searchKeymap, setDiagnostics, syntaxHighlighting, tags, undo, yaml,
} from "/page/vendor/codemirror.js";
import { post } from "./api.js";
import { on, state } from "./store.js";
import { source, wrote } from "./subject.js";


const nonce = document.querySelector("meta[name=csp-nonce]").nonce || document.querySelector("meta[name=csp-nonce]").content;
const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "#9ecbff" },
  { tag: [tags.number, tags.bool, tags.null, tags.content], color: "#e9ebee" },
  { tag: tags.string, color: "#b8e0b0" },
  { tag: [tags.comment, tags.lineComment], color: "#8d97a3", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "#aab2bc" },
  { tag: [tags.labelName, tags.keyword, tags.typeName], color: "#f2a65a" },
]);
let view;

/** Put it on the page. */
export function makeEditor(parent) {
  view = new EditorView({ parent, state: fresh("") });
  on("opened", () => view.setState(fresh(state.text)));
  on("written", () => write(state.written));
  on("problems", mark);
}

function fresh(doc) {
  return EditorState.create({ doc, extensions: EXTENSIONS });
}

const EXTENSIONS = [
  EditorView.cspNonce.of(nonce), EditorView.lineWrapping, lineNumbers(), foldGutter(), highlightActiveLine(), highlightActiveLineGutter(), history(), drawSelection(), indentOnInput(), indentUnit.of("  "), bracketMatching(),
  closeBrackets(), highlightSelectionMatches(), lintGutter(), yaml(), syntaxHighlighting(colours), autocompletion({ override: [complete], activateOnTypingDelay: 150 }),
  keymap.of([...closeBracketsKeymap, ...defaultKeymap.filter((each) => each.key !== "Mod-Enter"), ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap, indentWithTab]),
  EditorView.contentAttributes.of({ "aria-label": "The preset as text; Escape, then Tab leaves it" }),
  EditorView.updateListener.of((update) => update.docChanged && wrote(update.state.doc.toString())),
  EditorView.theme({}, { dark: true }),
];

/** Put another text in the place of this one, by as small a change as it takes, so that the cursor and undo stay right. */
function write({ text, line }) {
  const old = view.state.doc.toString();
  let from = 0;
  while (from < old.length && old[from] === text[from]) from++;
  let end = 0;
  while (end < Math.min(old.length, text.length) - from && old.at(-1 - end) === text.at(-1 - end)) end++;
  if (old !== text) view.dispatch({ changes: { from, to: old.length - end, insert: text.slice(from, text.length - end) } });
  if (line) goTo(line, 1, false);
}

/** Show a place, counted from 1. */
export function goTo(line, column = 1, focus = true) {
  const at = offset(line, column);
  view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
  if (focus) view.focus();
}

export const undoLast = () => undo(view);
export const redoLast = () => redo(view);

/** Where a place is that was counted from 1, in characters as Python counts them. */
function offset(line, column) {
  const { doc } = view.state;
  const found = doc.line(Math.min(doc.lines, Math.max(1, line)));
  return found.from + Math.min(found.length, [...found.text].slice(0, column - 1).join("").length);
}

function mark() {
  const found = state.problems.map(({ line, column, end_line, end_column, severity, message }) => {
    const from = line === null ? 0 : offset(line, column ?? 1);
    const to = line === null ? 0 : offset(end_line ?? line, end_column ?? 1e6);
    return { from, to: Math.max(to, Math.min(from + 1, view.state.doc.length)), severity, message };
  });
  view.dispatch(setDiagnostics(view.state, found));
}

async function complete(context) {
  const word = context.matchBefore(/[\w.:/-]+/);
  const { text, number, from } = context.state.doc.lineAt(context.pos);
  const before = text.slice(0, context.pos - from);
  if (word === null && !context.explicit && !/:\s$|-\s$/.test(before)) return null;
  if (before.trimStart().startsWith("#")) return null;
  const asked = { text: context.state.doc.toString(), line: number, column: [...before].length + 1, ...source() };
  const found = await post("/api/complete", asked).catch(() => null);
  if (found === null || context.aborted || found.options.length === 0) return null;
  const options = found.options.map(({ label, detail, info, apply }) => ({ label: String(label), detail: detail ?? undefined, info: info || undefined, apply: apply ?? undefined }));
  return { from: offset(found.from.line, found.from.column), options, validFor: /^[\w.:/-]*$/, filter: true };
}
