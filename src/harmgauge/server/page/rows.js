// A CSV or JSONL file as rows. A row that cannot be read is kept, with its error.

import { CsvReader } from "./csv.js";

const LARGEST = 200e6;

/**
 * Read a file: `{columns, rows, delimiter}`; a row is `{number, values, error}`.
 * Throws where the file as a whole cannot be read.
 */
export async function readRows(file) {
  if (file.size > LARGEST) {
    throw new Error("This file is larger than 200 MB; score it with: harmgauge score --input FILE --output OUT.csv");
  }
  const reader = /\.(jsonl|ndjson)$/i.test(file.name) ? new JsonLines() : new CsvTable();
  try {
    const texts = file.stream().pipeThrough(new TextDecoderStream("utf-8", { fatal: true }));
    for await (const piece of iterate(texts)) reader.push(piece);
  } catch (error) {
    if (error instanceof TypeError) throw new Error("This file is not UTF-8; save it as UTF-8 and drop it again.");
    throw error;
  }
  reader.end();
  if (reader.rows.length === 0) throw new Error("This file has no rows.");
  return { columns: reader.columns, rows: reader.rows, delimiter: reader.delimiter };
}

/** Not every browser can iterate over a stream. */
async function* iterate(stream) {
  const reader = stream.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
}

class CsvTable {
  columns = null;
  rows = [];
  #reader = new CsvReader();

  get delimiter() {
    return this.#reader.delimiter;
  }

  push(text) {
    this.#take(this.#reader.push(text));
  }

  end() {
    this.#take(this.#reader.end());
  }

  #take(lines) {
    for (const cells of lines) {
      if (this.columns === null) this.columns = header(cells);
      else this.rows.push(this.#row(cells));
    }
  }

  #row(cells) {
    const values = Object.fromEntries(this.columns.map((name, i) => [name, cells[i] ?? ""]));
    const fits = cells.length === this.columns.length;
    const error = fits ? null : `The row has ${cells.length} cells, the header has ${this.columns.length}.`;
    return { number: this.rows.length + 1, values, error };
  }
}

function header(cells) {
  const twice = cells.find((name, i) => cells.indexOf(name) !== i);
  if (twice !== undefined) throw new Error("Two columns have the same name; rename one and drop the file again.");
  return cells;
}

class JsonLines {
  rows = [];
  delimiter = ",";
  #columns = new Set();
  #rest = "";
  #line = 0;

  get columns() {
    return [...this.#columns];
  }

  push(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    lines.forEach((line) => this.#take(line));
  }

  end() {
    this.#take(this.#rest);
  }

  #take(text) {
    this.#line += 1;
    const line = text.replace(/^\uFEFF/, "");
    if (line.trim() === "") return;
    let values = {};
    let error = null;
    try {
      values = JSON.parse(line);
      if (typeof values === "string") values = { prompt: values };
      if (values === null || typeof values !== "object" || Array.isArray(values)) {
        values = {};
        error = `Line ${this.#line} is no JSON object.`;
      }
    } catch {
      error = `Line ${this.#line} is not valid JSON.`;
    }
    Object.keys(values).forEach((name) => this.#columns.add(name));
    this.rows.push({ number: this.rows.length + 1, values, error });
  }
}
