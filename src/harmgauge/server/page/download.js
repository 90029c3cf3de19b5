// Rows with their verdicts as a file, written piece by piece.

import { csvLine } from "./csv.js";

/** rows of a piece */
const PIECE = 500;

/** Fields that every row gets, also where the server saw none of them. */
const OWN = ["cost", "probability", "unsafe", "threshold", "direction", "error"];

/** The fields of a verdict, in the order in which this server's verdicts have them. */
function fieldsOf(rows) {
  const judged = rows.find(({ verdict }) => verdict?.gauge);
  return [...new Set([...Object.keys(judged?.verdict ?? {}), ...OWN])];
}

/** The input's own columns keep their values; one called as a field of the verdict is `input_…`. */
function renamed(name, fields) {
  return fields.includes(name.replace(/^(?:input_)+/, "")) ? `input_${name}` : name;
}

/** One row as it goes out: the input's columns, then the flat verdict at the threshold of its kind. */
export function record({ values, error, verdict, kind }, at, fields) {
  const flat = Object.fromEntries(fields.map((name) => [name, verdict?.[name] ?? null]));
  const judged = flat.cost !== null && !verdict.empty;
  const own = Object.fromEntries(Object.entries(values).map(([name, value]) => [renamed(name, fields), value]));
  // Nothing is inherited: a column may have the name of what other objects inherit.
  return Object.assign(Object.create(null), own, flat, {
    unsafe: judged ? flat.cost >= at(kind) : null,
    threshold: at(kind),
    direction: "positive_is_unsafe",
    error: error ?? (verdict ? flat.error : "not scored"),
  });
}

/** Pieces of a CSV file; a byte-order mark says UTF-8 to spreadsheets. */
export function* csvPieces(rows, columns, at, delimiter) {
  const fields = fieldsOf(rows);
  const names = [...columns.map((name) => renamed(name, fields)), ...fields];
  yield `\uFEFF${csvLine(names, delimiter)}`;
  yield* joined(rows, (row) => {
    const values = record(row, at, fields);
    return csvLine(names.map((name) => cell(values[name])), delimiter);
  });
}

/** Pieces of a file of JSON lines. */
export function* jsonlPieces(rows, at) {
  const fields = fieldsOf(rows);
  yield* joined(rows, (row) => `${JSON.stringify(record(row, at, fields))}\n`);
}

function* joined(rows, line) {
  for (let from = 0; from < rows.length; from += PIECE) {
    yield rows.slice(from, from + PIECE).map(line).join("");
  }
}

function cell(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Hand a file to the browser; it is made as it is read, so that the page stays awake. */
export async function save(name, type, pieces) {
  const stream = new ReadableStream({
    pull(controller) {
      const { done, value } = pieces.next();
      if (done) controller.close();
      else controller.enqueue(new TextEncoder().encode(value));
    },
  });
  const blob = await new Response(stream, { headers: { "Content-Type": type } }).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
