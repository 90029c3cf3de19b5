// The API key: asked for when the server wants one, kept for this tab alone.

import { $ } from "./dom.js";

const NAME = "harmgauge-key";
const POSSIBLE = /^[\x21-\x7e]+$/;

/** The key, or null. */
export const storedKey = () => sessionStorage.getItem(NAME);

let asking = null;

/** Ask once, however many calls wait for it; ends when a key was given, throws where none was. */
export function askForKey(refused) {
  asking ??= ask(refused).finally(() => {
    asking = null;
  });
  return asking;
}

function ask(refused) {
  const dialog = $("key");
  $("key-refused").hidden = !refused;
  $("key-value").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener(
      "close",
      () => {
        const key = $("key-value").value.trim();
        if (dialog.returnValue !== "use" || key === "") {
          reject(new Error("This server needs an API key. Type again, or load the page anew, to give one."));
          return;
        }
        if (!POSSIBLE.test(key)) {
          resolve(ask(true)); // no header can carry it, so that no call would ever leave
          return;
        }
        sessionStorage.setItem(NAME, key);
        resolve();
        window.dispatchEvent(new Event("keygiven"));
      },
      { once: true },
    );
  });
}
