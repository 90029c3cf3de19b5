// Calls to the server that this page came from. A call waits and tries again while the network is
// gone or the server has too much to do, and asks for a key where one is needed.

import { askForKey, storedKey } from "./key.js";
import { count } from "./numbers.js";
import { connected, disconnected } from "./status.js";

/** What the server refused, in its own words. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const BUSY = new Set([429, 502, 503, 504]);
const MUCH = "The server has much to do.";
/** by code or status; a proxy's 502 and 504 say that there is no server behind it */
const WHY = { not_ready: "The server is loading its gauge.", 429: MUCH, 503: MUCH };
const LONGEST_WAIT = 30;

let largest = Infinity; // body that the server reads, in bytes

export async function info() {
  const content = await call("info");
  largest = content.limits?.max_body_bytes ?? Infinity;
  return content;
}

/** Verdicts of exchanges, in order. */
export async function score(exchanges, signal) {
  return (await call("v1/score", { exchanges }, signal)).verdicts;
}

/** GET, or POST where there is a body; paths are relative, so that a proxy may add a prefix. */
export async function call(path, body = null, signal = null) {
  const json = body && JSON.stringify(body);
  // The server would close the line on it, which looks here as if it could not be reached.
  if (json && new Blob([json]).size > largest) {
    throw new ApiError(`This is more text than the server takes: at most ${count(largest)} bytes at a time.`, 413);
  }
  for (let tries = 0; ; tries += 1) {
    const key = storedKey();
    const reply = await send(path, json, key, signal);
    if (reply === null) {
      const seconds = Math.min(2 ** tries, 10);
      disconnected(seconds);
      await pause(seconds, signal);
    } else if (BUSY.has(reply.status)) {
      const seconds = waitOf(reply, tries);
      disconnected(seconds, WHY[reply.content?.error?.code] ?? WHY[reply.status]);
      await pause(seconds, signal);
    } else if (reply.status === 401) {
      connected();
      if (storedKey() === key) await askForKey(key !== null);
    } else {
      connected();
      if (reply.ok && reply.content !== null) return reply.content;
      const unknown = `The server answered with status ${reply.status}, in a form that this page does not know.`;
      throw new ApiError(reply.content?.error?.message ?? unknown, reply.status);
    }
  }
}

/** `{ok, status, headers, content}`, where content that is no JSON is null; null where nothing came. */
async function send(path, json, key, signal) {
  const headers = key === null ? {} : { Authorization: `Bearer ${key}` };
  if (json !== null) headers["Content-Type"] = "application/json";
  const method = json === null ? "GET" : "POST";
  try {
    const response = await fetch(path, { method, headers, body: json, signal });
    const { ok, status } = response;
    return { ok, status, headers: response.headers, content: jsonOf(await response.text()) };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null; // fetch tells of no other failure than that nothing could be reached, or not to its end
  }
}

/** A proxy may answer in HTML. */
function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Seconds that the server asks to wait, else longer with every try. */
function waitOf({ headers }, tries) {
  const after = headers.get("Retry-After");
  const seconds = /^\d+$/.test(after ?? "") ? Number(after) : (Date.parse(after) - Date.now()) / 1000;
  return Math.min(Math.max(Number.isFinite(seconds) ? seconds : 2 ** tries, 0.2), LONGEST_WAIT);
}

/** Ends after some seconds, or as soon as the network is back. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, 1000 * seconds);
    window.addEventListener("online", end);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
