// The same question as a shell command and as Python, to take along.

import { $ } from "./dom.js";
import { announce } from "./status.js";

const address = (path) => new URL(path, document.baseURI).href;

function curl({ path, body }) {
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl ${address(path)} \\\n  -H 'Content-Type: application/json' \\\n  -d '${json}'`;
}

function overHttp({ path, body }) {
  return `import json
from urllib.request import Request, urlopen

body = ${python(body)}
headers = {"Content-Type": "application/json"}
request = Request("${address(path)}", json.dumps(body).encode(), headers)
print(json.load(urlopen(request)))`;
}

function library({ body }, gauge) {
  const load = gauge === "mini" ? "harmgauge.load()" : `harmgauge.load(${python(gauge)})`;
  const head = `import harmgauge\n\ngauge = ${load}\n`;
  if ("responses" in body) {
    return `${head}ranking = gauge.rank(${python(body.prompt)}, ${python(body.responses)})
print(ranking)  # (index, cost), safest first`;
  }
  return `${head}exchange = ${python(body.exchanges[0])}
verdict = gauge.verdict(exchange, threshold=${python(body.threshold)})
print(verdict.cost, verdict.probability, verdict.unsafe)`;
}

/** A Python literal; JSON's strings and numbers are Python's. */
export function python(value) {
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).map(([key, inner]) => `${python(key)}: ${python(inner)}`);
    return `{${entries.join(", ")}}`;
  }
  return JSON.stringify(value);
}

const LANGUAGES = { curl, python: library, http: overHttp };

export class Snippets {
  /** @param question () => `{path, body}` of the call to write, or null where nothing is typed */
  constructor(question) {
    this.question = question;
    this.gauge = "mini";
    $("snippet-language").addEventListener("change", () => this.show());
    $("snippets").addEventListener("toggle", () => this.show());
    $("snippet-copy").addEventListener("click", () => this.#copy());
  }

  show() {
    if (!$("snippets").open) return;
    const question = this.question();
    const write = LANGUAGES[$("snippet-language").value];
    $("snippet").textContent = question ? write(question, this.gauge) : "Type a text first.";
    $("snippet-copy").disabled = question === null;
  }

  async #copy() {
    const button = $("snippet-copy");
    try {
      await navigator.clipboard.writeText($("snippet").textContent);
      button.textContent = "Copied";
    } catch {
      // No clipboard without TLS or leave: the text is marked, and the keyboard copies it.
      getSelection().selectAllChildren($("snippet"));
      button.textContent = "Marked: press Ctrl+C";
    }
    announce(button.textContent);
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2500);
  }
}
