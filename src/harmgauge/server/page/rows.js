// A file of CSV, JSON lines or a JSON list as rows. A row that cannot be read is kept, with its error.

import { CsvReader } from "./csv.js";
import { many } from "./numbers.js";

const LARGEST = 200e6;

/**
 * Read a file: `{columns, rows, delimiter}`; a row is `{number, values, error}`.
 * Throws where the file as a whole cannot be read.
 */
export async function readRows(file) {
  if (file.size > LARGEST) {
    throw new Error("This file is larger than 200 MB; score it with: harmgauge score --input FILE --output OUT.csv");
  }
  let reader = null;
  try {
    const texts = file.stream().pipeThrough(new TextDecoderStream("utf-8", { fatal: true }));
    for await (const piece of iterate(texts)) {
      reader ??= readerOf(file.name, piece);
      reader.push(piece);
    }
  } catch (error) {
    if (error instanceof TypeError) {
      throw new Error("This file is not UTF-8 text; save it as CSV in UTF-8, or as JSONL, and drop it again.");
    }
    if (error instanceof DOMException) throw new Error("This file cannot be read: is it a folder, or was it moved?");
    throw error;
  }
  reader?.end();
  if (!reader?.rows.length) throw new Error("This file has no rows.");
  return { columns: reader.columns, rows: reader.rows, delimiter: reader.delimiter };
}

/** JSON lines are often named .json, and a list .jsonl: the first character tells. */
function readerOf(name, text) {
  const [first] = text.trimStart();
  const json = /\.(json|jsonl|ndjson)$/i.test(name);
  if (json && first === "[") return new JsonList();
  return json || first === "{" ? new JsonLines() : new CsvTable();
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
    const values = bare(Object.fromEntries(this.columns.map((name, i) => [name, cells[i] ?? ""])));
    const fits = cells.length === this.columns.length;
    const error = fits ? null : `The row has ${many(cells.length, "cell")}, the header has ${this.columns.length}.`;
    return { number: this.rows.length + 1, values, error };
  }
}

function header(cells) {
  const twice = cells.find((name, i) => cells.indexOf(name) !== i);
  if (twice !== undefined) throw new Error("Two columns have the same name, or none; rename one and drop the file again.");
  return cells;
}

class JsonRows {
  rows = [];
  delimiter = ",";
  #columns = new Set();

  get columns() {
    return [...this.#columns];
  }

  /** A row of what was read; `place` tells where, should it make no row. */
  add(value, place) {
    const values = typeof value === "string" ? { prompt: value } : value;
    if (values === null || typeof values !== "object" || Array.isArray(values)) this.fail(`${place} is no JSON object.`);
    else {
      Object.keys(values).forEach((name) => this.#columns.add(name));
      this.rows.push({ number: this.rows.length + 1, values: bare(values), error: null });
    }
  }

  fail(error) {
    this.rows.push({ number: this.rows.length + 1, values: bare({}), error });
  }
}

class JsonLines extends JsonRows {
  #rest = "";
  #line = 0;

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
    let value;
    try {
      value = parsed(line);
    } catch {
      this.fail(`Line ${this.#line} is not valid JSON.`);
      return;
    }
    this.add(value, `Line ${this.#line}`);
  }
}

class JsonList extends JsonRows {
  #text = "";

  push(text) {
    this.#text += text;
  }

  end() {
    let values;
    try {
      values = parsed(this.#text);
    } catch {
      throw new Error("This file begins as a JSON list and is none; write one object a line and drop it again.");
    }
    values.forEach((value, i) => this.add(value, `Item ${i + 1}`));
  }
}

/** Values by column and nothing else: a column may have the name of what other objects inherit. */
const bare = (values) => Object.assign(Object.create(null), values);

/** JSON whose long numbers, such as ids, go out as they came in where the browser can keep them. */
const parsed = (json) => (/\d{16}/.test(json) ? JSON.parse(json, asWritten) : JSON.parse(json));

function asWritten(_, value, context) {
  const rounded = typeof value === "number" && context?.source !== undefined && context.source !== String(value);
  return rounded ? JSON.rawJSON(context.source) : value;
}
