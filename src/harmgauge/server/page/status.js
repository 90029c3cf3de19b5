// What the page says of itself: a banner while the server cannot be asked, and a quiet live region.

import { $ } from "./dom.js";

const QUIET = 900;
let timer;

/** Tell a screen reader, once nothing new has come for a moment. */
export function announce(text) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    $("live").textContent = text;
  }, QUIET);
}

/** The server cannot be asked, and is tried again in so many seconds. */
export function disconnected(seconds, why = "The server cannot be reached.") {
  const wait = Math.max(1, Math.round(seconds));
  $("banner-text").textContent = `${why} Trying again in ${wait} s; nothing that you typed is lost.`;
  if ($("banner").hidden) announce(`${why} Trying again.`);
  $("banner").hidden = false;
}

export function connected() {
  if ($("banner").hidden) return;
  $("banner").hidden = true;
  announce("The server answers again.");
}
