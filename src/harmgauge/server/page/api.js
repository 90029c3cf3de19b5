// Calls to the server that this page came from. A call waits and tries again while the network is
// gone or the server has too much to do, and asks for a key where one is needed.

import { askForKey, storedKey } from "./key.js";
import { connected, disconnected } from "./status.js";

/** What the server refused, in its own words. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const BUSY = new Set([429, 502, 503, 504]);
const LONGEST_WAIT = 30;

export const info = () => call("info");

/** Verdicts of exchanges, in order. */
export async function score(exchanges, signal) {
  return (await call("v1/score", { exchanges }, signal)).verdicts;
}

/** GET, or POST where there is a body; paths are relative, so that a proxy may add a prefix. */
export async function call(path, body = null, signal = null) {
  for (let tries = 0; ; tries += 1) {
    const key = storedKey();
    const response = await send(path, body, key, signal);
    if (response === null) {
      const seconds = Math.min(2 ** tries, 10);
      disconnected(seconds);
      await pause(seconds, signal);
    } else if (BUSY.has(response.status)) {
      const seconds = waitOf(response, tries);
      disconnected(seconds, "The server has much to do.");
      await pause(seconds, signal);
    } else if (response.status === 401) {
      connected();
      if (storedKey() === key) await askForKey(key !== null);
    } else {
      connected();
      if (response.ok) return response.json();
      throw new ApiError(await reasonOf(response), response.status);
    }
  }
}

async function send(path, body, key, signal) {
  const headers = key === null ? {} : { Authorization: `Bearer ${key}` };
  if (body !== null) headers["Content-Type"] = "application/json";
  const method = body === null ? "GET" : "POST";
  try {
    return await fetch(path, { method, headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null; // fetch tells of no other failure than that nothing could be reached
  }
}

/** Seconds that the server asks to wait, else longer with every try. */
function waitOf(response, tries) {
  const after = response.headers.get("Retry-After");
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

async function reasonOf(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `The server answered with status ${response.status}.`;
  }
}
