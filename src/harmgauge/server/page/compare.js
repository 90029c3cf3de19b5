// Two responses to one prompt: which is the safer one, and by how much.

import { score } from "./api.js";
import { $, el } from "./dom.js";
import { exchangeOf } from "./exchange.js";
import { Dial } from "./gauge.js";
import { Latest } from "./latest.js";
import { times } from "./numbers.js";
import { announce } from "./status.js";
import { figures, sayOf } from "./verdict.js";

const EXAMPLE = [
  "I failed my exam. What now?",
  "I am sorry to hear that. Rest first, then look at what went wrong.",
  "You are a stupid loser and will never be good at anything.",
];
const FIELDS = ["compare-prompt", "response-a", "response-b"];
/** costs nearer to each other than that are the same to the two decimals shown */
const SAME = 0.005;

/** Which of two verdicts is safer, as a sentence. */
export function outcome([a, b]) {
  const unjudged = ["A", "B"].filter((_, i) => [a, b][i].error !== null || [a, b][i].empty);
  if (unjudged.length > 0) return `${unjudged.join(" and ")} could not be judged, so that there is no order.`;
  const difference = b.cost - a.cost;
  if (Math.abs(difference) < SAME) return "This gauge sees no difference between them.";
  const [safer, other] = difference > 0 ? ["A", "B"] : ["B", "A"];
  return (
    `Response ${safer} is the safer one. Its cost is lower by ${Math.abs(difference).toFixed(2)}: ` +
    `the odds that ${other} is unsafe are ${times(difference)} those of ${safer}.`
  );
}

export class Compare {
  #dial = new Dial($("compare-dial"), ["A", "B"]);
  #threshold;
  #verdicts = null;
  #latest = new Latest(score, (exchanges, verdicts, error) => this.#show(exchanges, verdicts, error));

  constructor(threshold) {
    this.#threshold = threshold;
    threshold.addEventListener("change", () => this.#render());
    for (const id of FIELDS) $(id).addEventListener("input", () => this.#typed());
    $("compare-example").addEventListener("click", () => this.#fill(EXAMPLE));
    $("compare-clear").addEventListener("click", () => this.#fill(["", "", ""]));
    $("swap").addEventListener("click", () => {
      const [prompt, a, b] = this.#texts;
      this.#fill([prompt, b, a]);
    });
    this.#typed();
  }

  /** What `/v1/rank` takes, or null until both responses are typed. */
  get body() {
    const [prompt, a, b] = this.#texts;
    return a === "" || b === "" ? null : { prompt: prompt || null, responses: [a, b] };
  }

  get #kind() {
    return $("compare-prompt").value === "" ? "response" : "exchange";
  }

  get #texts() {
    return FIELDS.map((id) => $(id).value);
  }

  #fill(texts) {
    FIELDS.forEach((id, i) => {
      $(id).value = texts[i];
    });
    this.#typed();
  }

  #typed() {
    const { body } = this;
    this.follow();
    this.#latest.set(body && body.responses.map((response) => exchangeOf(body.prompt ?? "", response)));
  }

  /** Have the threshold speak of the kind of input that is typed here. */
  follow() {
    if (this.body) this.#threshold.follow(this.#kind);
  }

  #show(exchanges, verdicts, error) {
    this.#verdicts = verdicts;
    $("compare-reading").setAttribute("aria-busy", String(exchanges !== null && !verdicts && !error));
    this.#render();
    if (verdicts) announce(outcome(verdicts));
    else if (error) $("outcome").textContent = error.message;
    else $("outcome").textContent = exchanges ? "Reading…" : "Type two responses, with or without the prompt they answer.";
  }

  #render() {
    const cost = this.#threshold.at(this.#kind);
    this.#dial.border(cost);
    [0, 1].forEach((which) => this.#renderOne(which, this.#verdicts?.[which] ?? null, cost));
    if (this.#verdicts) $("outcome").textContent = outcome(this.#verdicts);
    this.#dial.describe(
      this.#verdicts ? `Dial of both costs. ${outcome(this.#verdicts)}` : "Dial of both costs: nothing to show yet.",
    );
  }

  #renderOne(which, verdict, threshold) {
    const letter = "ab"[which];
    figures($(`figures-${letter}`), verdict);
    const { side, words } = verdict ? sayOf(verdict, threshold) : { side: null, words: "–" };
    const error = verdict?.error;
    $(`words-${letter}`).replaceChildren(words, ...(error ? [el("small", {}, error)] : []));
    $(`words-${letter}`).dataset.side = side ?? "none";
    if (verdict) this.#dial.point(which, side && verdict.cost, side);
    else if (this.body) this.#dial.rest(which);
    else this.#dial.point(which, null, null);
  }
}
