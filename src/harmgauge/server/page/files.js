// A file dropped or picked: its columns, its progress, its table, its results.

import { ROLES, chosenAny, recognise } from "./columns.js";
import { $, el } from "./dom.js";
import { csvPieces, jsonlPieces, save } from "./download.js";
import { histogram } from "./histogram.js";
import { count, many } from "./numbers.js";
import { readRows } from "./rows.js";
import { scoreRows } from "./scoring.js";
import { announce } from "./status.js";
import { Table } from "./table.js";

/** milliseconds at least between drawings of the table while rows are scored */
const REDRAW = 1000;

export class Files {
  #threshold;
  #table;
  #limits = {};
  #file = null; // dropped last
  #name = "";
  #columns = [];
  #delimiter = ","; // of results as of the file, since a spreadsheet may open no other
  #chosen = null;
  #rows = [];
  #controller = null;
  #next = 0; // when it is drawn again while rows are scored
  #said = 0; // quarters of the progress that were announced

  constructor(threshold) {
    this.#threshold = threshold;
    this.#table = new Table(threshold);
    let frame = null; // a slider moves more often than many rows can be drawn
    threshold.addEventListener("change", () => {
      frame ??= requestAnimationFrame(() => {
        frame = null;
        this.#draw();
      });
    });
    $("file-input").addEventListener("change", (event) => {
      this.#open(event.target.files[0]);
      event.target.value = ""; // the same file may be picked again
    });
    this.#acceptDrops();
    for (const role of ROLES) $(`column-${role}`).addEventListener("change", () => this.#choose());
    $("start").addEventListener("click", () => this.#start());
    window.addEventListener("beforeunload", (event) => {
      if (this.#controller !== null) event.preventDefault();
    });
    $("cancel").addEventListener("click", () => this.#controller?.abort());
    $("download-csv").addEventListener("click", () =>
      this.#save("csv", "text/csv", (rows, at) => csvPieces(rows, this.#columns, at, this.#delimiter)),
    );
    $("download-jsonl").addEventListener("click", () => this.#save("jsonl", "application/jsonl", jsonlPieces));
  }

  /** Take the limits and the categories of a gauge from `/info`. */
  describe(info) {
    this.#limits = info.limits ?? {};
    this.#table.describe(info);
  }

  /** Have the threshold speak of the kinds of input in this file, the first row's first. */
  follow() {
    const kinds = new Set(this.#rows.map(({ kind }) => kind).filter(Boolean));
    if (kinds.size > 0) this.#threshold.follow(...kinds);
  }

  #acceptDrops() {
    const zone = $("drop");
    const over = (on) => zone.classList.toggle("over", on);
    for (const name of ["dragenter", "dragover"]) {
      zone.addEventListener(name, (event) => {
        event.preventDefault();
        over(true);
      });
    }
    zone.addEventListener("dragleave", () => over(false));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this.#open(event.dataTransfer.files[0]);
    });
    // A file that misses the zone must not replace the page.
    for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
  }

  async #open(file) {
    if (!file) return;
    this.#controller?.abort();
    this.#file = file;
    this.#say(`Reading ${file.name}…`);
    try {
      const { columns, rows, delimiter } = await readRows(file);
      if (this.#file !== file) return; // another one was dropped meanwhile
      [this.#name, this.#columns, this.#rows, this.#delimiter] = [file.name, columns, rows, delimiter];
    } catch (error) {
      if (this.#file === file) this.#say(`${file.name}: ${error.message}`, true);
      return;
    }
    this.#offer(recognise(this.#columns));
    if (chosenAny(this.#chosen)) await this.#start();
    else {
      this.#draw();
      this.#say(`${this.#name}: ${many(this.#rows.length, "row")}. Which columns hold the texts?`, true);
    }
  }

  /** Show the columns with those that are judged. */
  #offer(chosen) {
    this.#judge(chosen);
    for (const role of ROLES) {
      $(`column-${role}`).replaceChildren(
        el("option", { value: "" }, "none"),
        ...this.#columns.map((name, i) => el("option", { value: i + 1, selected: name === chosen[role] }, name)),
      );
    }
    $("columns").hidden = false;
  }

  #judge(chosen) {
    this.#chosen = chosen;
    $("start").disabled = !chosenAny(chosen);
    this.#table.take(this.#rows, chosen);
  }

  /** Other columns were chosen: what was scored is no longer what would be judged. */
  #choose() {
    this.#controller?.abort();
    const name = (role) => this.#columns[Number($(`column-${role}`).value) - 1] ?? null;
    for (const row of this.#rows) {
      delete row.verdict;
      delete row.kind;
    }
    this.#judge(Object.fromEntries(ROLES.map((role) => [role, name(role)])));
    this.#draw();
  }

  async #start() {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    this.#said = 0;
    $("results").classList.remove("without-rows");
    this.#running(true);
    this.#draw();
    let problem = "";
    try {
      await scoreRows(this.#rows, this.#chosen, this.#limits, controller.signal, () => this.#scored());
    } catch (error) {
      problem = controller.signal.aborted ? "Cancelled. " : `${error.message} `;
      controller.abort(); // the other chunks under way
    }
    if (this.#controller !== controller) return; // another file or start took over
    this.#controller = null;
    this.#running(false);
    this.#draw(problem);
    announce(`${problem}${this.#summary()}`);
  }

  #running(now) {
    $("cancel").hidden = !now;
    $("progress").hidden = !now;
    $("results").setAttribute("aria-busy", String(now));
    for (const id of ["download-csv", "download-jsonl"]) $(id).disabled = now;
  }

  #scored() {
    if (!$("pick").hidden) this.follow(); // else the threshold speaks of what is typed elsewhere
    const quarter = Math.floor((4 * this.#done) / this.#rows.length);
    if (quarter > this.#said && quarter < 4) announce(`${25 * quarter} % scored`);
    this.#said = quarter;
    $("progress").value = this.#done;
    if (performance.now() > this.#next) this.#draw();
  }

  get #done() {
    return this.#rows.filter((row) => row.error !== null || row.verdict !== undefined).length;
  }

  #draw(problem = "") {
    if (this.#rows.length === 0) return;
    const started = performance.now();
    $("progress").max = this.#rows.length;
    $("progress").value = this.#done;
    const left = this.#rows.length - this.#done;
    $("start").textContent =
      left === 0 || left === this.#rows.length ? `Score ${many(this.#rows.length, "row")}` : `Score the ${many(left, "row")} left`;
    $("start").hidden = left === 0 || this.#controller !== null;
    this.#say(`${this.#name}: ${problem}${this.#summary()}`, problem !== "");
    this.#table.render();
    this.#showSpread();
    // Many rows take longer to draw: the time is for those that are scored.
    this.#next = performance.now() + Math.max(REDRAW, 10 * (performance.now() - started));
  }

  #showSpread() {
    const judged = this.#rows
      .filter(({ verdict }) => verdict && verdict.cost !== null && !verdict.empty)
      .map(({ verdict: { cost }, kind }) => ({ cost, unsafe: cost >= this.#threshold.at(kind) }));
    $("spread").hidden = judged.length === 0;
    $("histogram-most").textContent = `tallest bar: ${many(histogram($("histogram"), judged), "row")}`;
    $("histogram").setAttribute("aria-label", `Histogram of the costs. ${this.#summary()}`);
  }

  #summary() {
    const tally = { unsafe: 0, safe: 0, blank: 0, failed: 0, waiting: 0 };
    for (const { error, verdict, kind } of this.#rows) {
      if (error !== null || (verdict && verdict.error !== null)) tally.failed += 1;
      else if (!verdict) tally.waiting += 1;
      else if (verdict.empty) tally.blank += 1;
      else tally[verdict.cost >= this.#threshold.at(kind) ? "unsafe" : "safe"] += 1;
    }
    const parts = [`${count(tally.unsafe)} unsafe`, `${count(tally.safe)} safe`];
    if (tally.blank) parts.push(`${count(tally.blank)} blank`);
    if (tally.failed) parts.push(`${count(tally.failed)} not judged`);
    if (tally.waiting) parts.push(`${count(tally.waiting)} to come`);
    return `${many(this.#rows.length, "row")}: ${parts.join(", ")}.`;
  }

  #say(text, problem = false) {
    $("file-say").textContent = text;
    $("file-say").dataset.problem = problem;
    if (problem) announce(text);
  }

  #save(ending, type, pieces) {
    const shown = $("only-shown").checked;
    const rows = shown ? this.#table.shown : this.#rows;
    save(`${this.#name.replace(/\.[^.]*$/, "")}-verdicts.${ending}`, type, pieces(rows, (kind) => this.#threshold.at(kind)));
  }
}
