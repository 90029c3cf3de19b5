// Rows with their verdicts as a file, written piece by piece.

import { csvLine } from "./csv.js";

const FIELDS = [
  ..."cost probability unsafe threshold direction categories spans empty windows disguised gauge error".split(" "),
];
const TAKEN = new RegExp(`^(input_)*(${FIELDS.join("|")})$`);
/** rows of a piece */
const PIECE = 500;

/** The input's own columns keep their values; one called as a field of the verdict is `input_…`. */
const renamed = (name) => (TAKEN.test(name) ? `input_${name}` : name);

/** One row as it goes out: the input's columns, then the flat verdict at the threshold. */
export function record({ values, error, verdict }, threshold) {
  const flat = Object.fromEntries(FIELDS.map((name) => [name, verdict?.[name] ?? null]));
  const judged = flat.cost !== null && !flat.empty;
  return {
    ...Object.fromEntries(Object.entries(values).map(([name, value]) => [renamed(name), value])),
    ...flat,
    unsafe: judged ? flat.cost >= threshold : null,
    threshold,
    direction: "positive_is_unsafe",
    error: error ?? (verdict ? flat.error : "not scored"),
  };
}

/** Pieces of a CSV file; a byte-order mark says UTF-8 to spreadsheets. */
export function* csvPieces(rows, columns, threshold) {
  const names = [...columns.map(renamed), ...FIELDS];
  yield `\uFEFF${csvLine(names)}`;
  yield* joined(rows, (row) => {
    const values = record(row, threshold);
    return csvLine(names.map((name) => cell(values[name])));
  });
}

/** Pieces of a file of JSON lines. */
export const jsonlPieces = (rows, threshold) =>
  joined(rows, (row) => `${JSON.stringify(record(row, threshold))}\n`);

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
