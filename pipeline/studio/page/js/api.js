// What the studio is asked, and what it answers.

import { askToOpen, toast } from "./dialogs.js";

/** An answer that says no, in words. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.error ?? `the studio answered with ${status}`);
    this.status = status;
    this.opens = body.opens;
    this.problems = body.problems ?? [];
  }
}

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

async function ask(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Refused(0, { error: "The studio does not answer. Is `dreamreel studio` still running in the terminal?" });
  }
}

export const get = async (path) => answer(await ask(path));

function send(method, path, body) {
  return ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export const post = async (path, body = {}) => answer(await send("POST", path, body));
export const put = async (path, body) => answer(await send("PUT", path, body));
export const upload = async (path, file) => answer(await ask(path, { method: "POST", headers: { "Content-Type": file.type }, body: file }));

/** As `post`; where a preset opens files outside the folder, the person is asked first. Null where they say no. */
export async function postAsking(path, body) {
  try {
    return await post(path, body);
  } catch (error) {
    if (!error.opens) throw error;
    return (await askToOpen(error.opens)) ? post(path, { ...body, opens: error.opens }) : null;
  }
}

/** A picture's bytes; null where there is none yet. */
export async function picture(path) {
  const response = await ask(path);
  return response.ok && response.status !== 202 ? response.blob() : null;
}

/** Do something for the person; what goes wrong is said. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(error.message, "error");
    return undefined;
  }
}
