// The page: which view is shown, and what its parts are told.

import { about } from "./about.js";
import { info } from "./api.js";
import { Compare } from "./compare.js";
import { $ } from "./dom.js";
import { Files } from "./files.js";
import { Judge } from "./judge.js";
import { Snippets } from "./snippets.js";
import { Threshold } from "./threshold.js";

const VIEWS = { judge: "Judge a text", compare: "Compare two responses", file: "Judge a file" };

const threshold = new Threshold();
const judge = new Judge(threshold);
const compare = new Compare(threshold);
const files = new Files(threshold);
const snippets = new Snippets(question);

const PARTS = { judge, compare, file: files };
let view = "judge";

/** The call that answers what is typed in the view that is shown. */
function question() {
  if (view === "compare") return compare.body && { path: "v1/rank", body: compare.body };
  const { exchange } = judge;
  return exchange && { path: "v1/score", body: { exchanges: [exchange], threshold: threshold.value } };
}

function show() {
  const name = location.hash.slice(1);
  if (Object.hasOwn(VIEWS, name)) view = name; // else it leads to a place within the view
  document.body.dataset.view = view;
  document.title = `${VIEWS[view]} · harmgauge`;
  for (const part of document.querySelectorAll("[data-views]")) {
    part.hidden = !part.dataset.views.split(" ").includes(view);
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash.slice(1) === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  PARTS[view].follow();
  snippets.show();
}

window.addEventListener("hashchange", show);
document.addEventListener("input", () => snippets.show());
document.addEventListener("click", () => snippets.show());
threshold.addEventListener("change", () => snippets.show());
show();

async function introduce() {
  try {
    const gauge = await info();
    about(gauge);
    snippets.gauge = gauge.name;
    for (const part of [threshold, judge, files]) part.describe(gauge);
  } catch (error) {
    $("gauge-name").textContent = error.message;
    // The key that was not given now may be given for a text.
    window.addEventListener("keygiven", introduce, { once: true });
  }
}

introduce();
