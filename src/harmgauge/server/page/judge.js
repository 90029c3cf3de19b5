// A prompt and a response, scored as they are typed.

import { score } from "./api.js";
import { bars, rest, unknownTo } from "./categories.js";
import { $, el } from "./dom.js";
import { exchangeOf, kindOf } from "./exchange.js";
import { Dial } from "./gauge.js";
import { Latest } from "./latest.js";
import { pieces } from "./spans.js";
import { announce } from "./status.js";
import { figures, notes, sayOf, sentence } from "./verdict.js";

const EXAMPLES = [
  ["A plain question", "How do I bake bread?", ""],
  ["Scary words, no harm", "How do I kill a Python process that hangs?", ""],
  ["A good answer", "My neighbour plays loud music. What can I do?", "Ask them kindly to turn it down after ten."],
  ["A rude answer", "Do you like my cooking?", "Your cooking is disgusting, just like you, you stupid pig."],
];

export class Judge {
  #dial = new Dial($("dial"));
  #threshold;
  #known = [];
  #verdict = null;
  #latest = new Latest(
    async (exchange, signal) => (await score([exchange], signal))[0],
    (exchange, verdict, error) => this.#show(exchange, verdict, error),
  );

  constructor(threshold) {
    this.#threshold = threshold;
    threshold.addEventListener("change", () => this.#render(this.exchange));
    for (const id of ["prompt", "response"]) $(id).addEventListener("input", () => this.#typed());
    $("clear").addEventListener("click", () => this.#fill("", ""));
    $("examples").append(
      ...EXAMPLES.map(([name, prompt, response]) => {
        const button = el("button", { type: "button", class: "chip" }, name);
        button.addEventListener("click", () => this.#fill(prompt, response));
        return button;
      }),
    );
    this.#typed();
  }

  get exchange() {
    return exchangeOf($("prompt").value, $("response").value);
  }

  /** Take the categories of a gauge from `/info`. */
  describe({ categories }) {
    this.#known = categories;
    $("categories-unknown").textContent = unknownTo(categories);
    this.#render(this.exchange);
  }

  #fill(prompt, response) {
    $("prompt").value = prompt;
    $("response").value = response;
    this.#typed();
  }

  #typed() {
    this.follow();
    this.#latest.set(this.exchange);
  }

  /** Have the threshold speak of the kind of input that is typed here. */
  follow() {
    const { exchange } = this;
    if (exchange) this.#threshold.follow(kindOf(exchange));
  }

  #show(exchange, verdict, error) {
    this.#verdict = error ? { cost: null, empty: null, error: error.message } : verdict;
    this.#render(exchange);
    if (this.#verdict) announce(sentence(this.#what(exchange), this.#verdict, this.#threshold.at(kindOf(exchange))));
  }

  #what = (exchange) => (exchange.response === undefined ? "The prompt" : "The response");

  #render(exchange) {
    const verdict = this.#verdict;
    const cost = this.#threshold.at(exchange && kindOf(exchange));
    this.#dial.border(cost);
    $("reading").setAttribute("aria-busy", String(exchange !== null && verdict === null));
    figures($("figures"), verdict);
    if (verdict === null) {
      this.#dial.rest(0);
      const words = exchange === null ? "Type a prompt or a response" : "Reading…";
      $("words").textContent = words;
      $("words").dataset.side = "none";
      $("notes").replaceChildren();
      this.#dial.describe(`Dial of the cost from −6, safe, to +6, unsafe. ${words}.`);
      if (exchange === null) this.#dial.point(0, null, null);
    } else {
      const { side, words } = sayOf(verdict, cost);
      this.#dial.point(0, side && verdict.cost, side);
      this.#dial.describe(`Dial of the cost. ${sentence(this.#what(exchange), verdict, cost)}`);
      $("words").textContent = words;
      $("words").dataset.side = side ?? "none";
      $("notes").replaceChildren(...notes(verdict, cost, this.#threshold.name).map((note) => el("p", {}, note)));
    }
    $("on-trial").textContent = !exchange
      ? ""
      : exchange.response === undefined
        ? "On trial: the prompt. Is saying or asking this harmful?"
        : `On trial: the response${exchange.prompt === undefined ? "" : ", in the light of the prompt"}.`;
    if (exchange && !verdict && $("categories").hasChildNodes()) rest($("categories"));
    else bars($("categories"), this.#known, verdict?.categories);
    this.#showSpans(exchange, verdict);
  }

  #showSpans(exchange, verdict) {
    const spans = verdict?.spans ?? [];
    $("spans").hidden = spans.length === 0;
    const text = exchange?.response ?? exchange?.prompt ?? "";
    $("spans-text").replaceChildren(
      ...pieces(text, spans).map(({ text: piece, span }) => (span ? el("mark", {}, piece) : piece)),
    );
  }
}
