// CSV as RFC 4180 has it and spreadsheets write it: read piece by piece, and written so that no
// cell is a formula.

const DELIMITERS = [",", ";", "\t"];

/** Rows of cells out of pieces of text; `push` each piece, then `end`. */
export class CsvReader {
  #head = "";
  #delimiter = null;
  #special = null; // matches what ends a cell or begins quotes
  #row = [];
  #cell = "";
  #quoted = false; // inside quotes
  #closed = false; // just after quotes, where another quote means a quote
  #begun = false; // the row has something, be it only an empty cell in quotes
  #afterReturn = false;

  /** What stands between cells; null before the first line was read. */
  get delimiter() {
    return this.#delimiter;
  }

  push(text) {
    if (this.#delimiter !== null) return this.#read(text);
    this.#head += text;
    return /[\r\n]/.test(this.#head) ? this.#begin() : [];
  }

  /** The last row. Throws where a quote is still open: all that follows it would be one cell. */
  end() {
    const rows = this.#delimiter === null ? this.#begin() : [];
    if (this.#quoted) {
      throw new Error("A quote in this file is opened and never closed; mend the file and drop it again.");
    }
    this.#endRow(rows);
    return rows;
  }

  #begin() {
    const text = this.#head.replace(/^\uFEFF/, "");
    this.#delimiter = delimiterOf(text);
    this.#special = new RegExp(`["\\r\\n${this.#delimiter}]`, "g");
    this.#head = "";
    return this.#read(text);
  }

  #read(text) {
    const rows = [];
    for (let at = 0; at < text.length; ) {
      const end = this.#next(text, at);
      if (end > at) {
        this.#cell += text.slice(at, end);
        this.#afterReturn = false;
        if (!this.#quoted) [this.#closed, this.#begun] = [false, true];
      }
      if (end < text.length) this.#meet(text[end], rows);
      at = end + 1;
    }
    return rows;
  }

  /** Where the next character is that means something, or the end. */
  #next(text, from) {
    const special = this.#quoted ? /"/g : this.#special;
    special.lastIndex = from;
    return special.exec(text)?.index ?? text.length;
  }

  #meet(character, rows) {
    const afterReturn = this.#afterReturn;
    this.#afterReturn = character === "\r";
    if (this.#quoted) {
      [this.#quoted, this.#closed] = [false, true];
    } else if (character === this.#delimiter) {
      this.#endCell();
    } else if (character !== '"') {
      if (!(character === "\n" && afterReturn)) this.#endRow(rows);
    } else if (this.#closed || this.#cell === "") {
      if (this.#closed) this.#cell += '"';
      [this.#quoted, this.#closed, this.#begun] = [true, false, true];
    } else {
      this.#cell += '"';
    }
  }

  #endCell() {
    this.#row.push(this.#cell);
    [this.#cell, this.#closed, this.#begun] = ["", false, true];
  }

  #endRow(rows) {
    if (this.#begun) {
      this.#endCell();
      rows.push(this.#row);
    }
    [this.#row, this.#begun, this.#closed] = [[], false, false];
  }
}

/** The delimiter that the first line has most often outside quotes: comma, semicolon or tab. */
export function delimiterOf(text) {
  const [line] = text.replace(/"(?:[^"]|"")*"/g, "").split(/[\r\n]/, 1);
  const often = DELIMITERS.map((delimiter) => line.split(delimiter).length);
  return DELIMITERS[often.indexOf(Math.max(...often))];
}

const NUMBER = /^[+-]?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?$/i;
// Also after spaces, quotes and what shows nothing, which some spreadsheets drop; the full-width
// signs are read as the plain ones by some.
const FORMULA = /^[\s"'\u200b\ufeff]*[=+\-@＝＋－＠]/u;
const BLANK = /^[\t\r\n]/;
/** an item of a list within a cell, which calls nothing */
const ITEM = /^\s*[+-] [^(|!]*$/;
// A program that expects another separator ends a cell at that one, and sees no quotes around line breaks.
const BREAKS = new Map(
  DELIMITERS.map((own) => [own, new RegExp(`(?<=[\\r\\n${DELIMITERS.filter((each) => each !== own).join("")}])`, "u")]),
);

/**
 * A cell that no spreadsheet takes for a formula, nor any part of it where another separator is
 * expected than the file's; a plain number stays as it is.
 */
export function neutralised(cell, delimiter = ",") {
  const [first, ...rest] = cell.split(BREAKS.get(delimiter));
  const starts = formula(first) || BLANK.test(first);
  return (starts ? "'" : "") + first + rest.map((part) => (formula(part) && !ITEM.test(part) ? `'${part}` : part)).join("");
}

const formula = (text) => FORMULA.test(text) && !NUMBER.test(text.replace(/[,;\s]$/, ""));

/** One line of CSV, its end included. */
export function csvLine(cells, delimiter = ",") {
  return `${cells.map((cell) => quoted(neutralised(cell, delimiter))).join(delimiter)}\r\n`;
}

function quoted(cell) {
  return /[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
