// CSV as RFC 4180 has it and spreadsheets write it: read piece by piece, and written so that no
// cell is a formula.

const DELIMITERS = [",", ";", "\t"];

/** Rows of cells out of pieces of text; `push` each piece, then `end`. */
export class CsvReader {
  #head = "";
  #delimiter = null;
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
    this.#head = "";
    return this.#read(text);
  }

  #read(text) {
    const rows = [];
    for (const character of text) {
      if (this.#quoted) {
        if (character === '"') [this.#quoted, this.#closed] = [false, true];
        else this.#cell += character;
      } else if (character === '"' && (this.#closed || this.#cell === "")) {
        if (this.#closed) this.#cell += '"';
        [this.#quoted, this.#closed, this.#begun] = [true, false, true];
      } else if (character === this.#delimiter) {
        this.#endCell();
      } else if (character === "\n" || character === "\r") {
        if (!(character === "\n" && this.#afterReturn)) this.#endRow(rows);
      } else {
        this.#cell += character;
        [this.#closed, this.#begun] = [false, true];
      }
      this.#afterReturn = character === "\r" && !this.#quoted;
    }
    return rows;
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
const FORMULA = /^(?:[\t\r\n]|[\s"'\u200b\ufeff]*[=+\-@＝＋－＠])/u;

/** A cell that no spreadsheet takes for a formula; a plain number stays as it is. */
export function neutralised(cell) {
  return FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell;
}

/** One line of CSV, its end included. */
export function csvLine(cells, delimiter = ",") {
  return `${cells.map((cell) => quoted(neutralised(cell))).join(delimiter)}\r\n`;
}

function quoted(cell) {
  return /[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
