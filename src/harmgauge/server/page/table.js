// Scored rows as a table: sorted, filtered, in pages; texts are hidden until asked for.

import { nameOf } from "./categories.js";
import { $, el } from "./dom.js";
import { count, many, percent, sigmoid, signed } from "./numbers.js";
import { sayOf } from "./verdict.js";

const PAGE = 50;
const TEXTS = ["prompt", "response", "messages"];

/** Whether a row passes the filters. A category counts from the probability that the threshold has. */
export function passes({ values, error, verdict, kind }, { only, search, category, chosen }, at) {
  const threshold = at(kind);
  const judged = verdict && verdict.error === null && !verdict.empty;
  if (only === "unsafe" && !(judged && verdict.cost >= threshold)) return false;
  if (only === "safe" && !(judged && verdict.cost < threshold)) return false;
  if (only === "unjudged" && error === null && (!verdict || judged)) return false;
  if (category !== "" && !((verdict?.categories?.[category] ?? 0) >= sigmoid(threshold))) return false;
  return search === "" || textsOf(values, chosen).some(([, text]) => text.toLowerCase().includes(search));
}

/** The texts of a row by role, those that are not there left out. */
function textsOf(values, chosen) {
  return TEXTS.filter((role) => chosen[role] !== null).flatMap((role) => {
    const value = values[chosen[role]] ?? "";
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return text === "" ? [] : [[role, text]];
  });
}

/** Order by row number or cost; rows without a cost come last either way. */
export function sorted(rows, { by, descending }) {
  const sign = descending ? -1 : 1;
  if (by === "number") return [...rows].sort((a, b) => sign * (a.number - b.number));
  const cost = ({ verdict }) => (typeof verdict?.cost === "number" ? sign * verdict.cost : Infinity);
  return [...rows].sort((a, b) => {
    const [x, y] = [cost(a), cost(b)];
    return (x === y ? 0 : x - y) || a.number - b.number;
  });
}

export class Table {
  #rows = [];
  #chosen = { prompt: null, response: null, messages: null };
  #threshold;
  #order = { by: "cost", descending: true };
  #page = 0;
  #open = new Set(); // numbers of rows whose texts were asked for
  #shown = [];

  constructor(threshold) {
    this.#threshold = threshold;
    for (const id of ["only", "category"]) $(id).addEventListener("change", () => this.#restart());
    $("search").addEventListener("input", () => this.#restart());
    $("show-texts").addEventListener("change", () => {
      this.#open.clear();
      this.render();
    });
    for (const by of ["number", "cost"]) {
      $(`sort-${by}`).addEventListener("click", () => {
        const again = this.#order.by === by;
        this.#order = { by, descending: again ? !this.#order.descending : by === "cost" };
        this.#restart();
      });
    }
    $("page-before").addEventListener("click", () => this.#turn(-1));
    $("page-after").addEventListener("click", () => this.#turn(1));
  }

  /** Take the categories that may be filtered by. */
  describe({ categories }) {
    $("category").replaceChildren(
      el("option", { value: "" }, "Any category"),
      ...categories.map((category) => el("option", { value: category }, nameOf(category))),
    );
    $("category").disabled = categories.length === 0;
  }

  /** Show other rows. */
  take(rows, chosen) {
    [this.#rows, this.#chosen] = [rows, chosen];
    this.#open.clear();
    $("show-texts").checked = false;
    this.#restart();
  }

  /** All rows that pass the filters, in the order shown. */
  get shown() {
    return this.#shown;
  }

  #restart() {
    this.#page = 0;
    this.render();
  }

  #turn(by) {
    this.#page += by;
    this.render();
    $("table").scrollIntoView({ block: "nearest" });
  }

  render() {
    const filters = {
      only: $("only").value,
      category: $("category").value,
      search: $("search").value.trim().toLowerCase(),
      chosen: this.#chosen,
    };
    const at = (kind) => this.#threshold.at(kind);
    this.#shown = sorted(this.#rows.filter((row) => passes(row, filters, at)), this.#order);
    const last = Math.max(0, Math.ceil(this.#shown.length / PAGE) - 1);
    this.#page = Math.min(this.#page, last);
    const from = this.#page * PAGE;
    const page = this.#shown.slice(from, from + PAGE);
    $("table-body").replaceChildren(...page.map((row) => this.#line(row)));
    for (const by of ["number", "cost"]) {
      const way = this.#order.descending ? "descending" : "ascending";
      $(`sort-${by}`).closest("th").setAttribute("aria-sort", this.#order.by === by ? way : "none");
    }
    $("page-before").disabled = this.#page === 0;
    $("page-after").disabled = this.#page === last;
    $("page-place").textContent =
      page.length === 0
        ? "No row passes these filters"
        : `${count(from + 1)}–${count(from + page.length)} of ${many(this.#shown.length, "row")}`;
  }

  #line(row) {
    const { number, error, verdict, kind } = row;
    const say = error !== null ? { side: null, words: "Not judged" } : verdict && sayOf(verdict, this.#threshold.at(kind));
    const known = verdict && verdict.cost !== null && !verdict.empty;
    const why = error ?? verdict?.error;
    return el(
      "tr",
      {},
      el("td", { class: "number" }, count(number)),
      el("td", { class: "number strong" }, known ? signed(verdict.cost) : "–"),
      el("td", { class: "number wide" }, known ? percent(verdict.probability) : "–"),
      el(
        "td",
        {},
        el("span", { class: "words", "data-side": say?.side ?? "none" }, say ? say.words : "Waiting"),
        why ? el("small", { class: "why" }, why) : null,
      ),
      el("td", { class: "wide" }, strongest(verdict)),
      this.#texts(row),
    );
  }

  #texts(row) {
    const open = $("show-texts").checked !== this.#open.has(row.number);
    const texts = textsOf(row.values, this.#chosen);
    if (texts.length === 0) return el("td", { class: "text" }, "–");
    const button = el(
      "button",
      { type: "button", class: "quiet", "aria-expanded": String(open), "aria-label": `${open ? "Hide" : "Show"} the text of row ${row.number}` },
      open ? "Hide" : "Show",
    );
    const words = el(
      "div",
      // Blurred for the eye, and left out for a screen reader.
      { class: open ? "texts" : "texts blurred", "aria-hidden": open ? null : "true" },
      ...texts.map(([role, text]) => el("p", {}, el("b", {}, `${role} `), el("bdi", {}, open ? text : text.slice(0, 160)))),
    );
    const cell = el("td", { class: "text" }, el("div", { class: "reveal" }, words, button));
    button.addEventListener("click", () => {
      if (!this.#open.delete(row.number)) this.#open.add(row.number);
      const other = this.#texts(row);
      cell.replaceWith(other);
      other.querySelector("button").focus();
    });
    return cell;
  }
}

function strongest(verdict) {
  const [first] = Object.entries(verdict?.categories ?? {}).sort((a, b) => b[1] - a[1]);
  return first ? `${nameOf(first[0])} ${percent(first[1])}` : "–";
}
