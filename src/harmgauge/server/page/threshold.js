// The threshold, one for the whole page: a slider with the stored ones as stops, and what it means.

import { at, draw } from "./curve.js";
import { $, el } from "./dom.js";
import { count, percent, promised, signed } from "./numbers.js";

/** The plural of a kind of input, as `harmgauge.exchange.KINDS` names it. */
const KINDS = {
  prompt: "prompts",
  response: "responses without a prompt",
  exchange: "responses to a prompt",
};

/** The cost from which on a text is called unsafe. It fires `change` when moved. */
export class Threshold extends EventTarget {
  cost = 0;
  /** of a stored threshold, else null */
  name = null;
  #stored = [];
  #curves = null;
  #kind = null; // of what is judged
  #kinds = []; // all of them, where a file has several
  #followed = true; // the curve is that of what is typed until another is chosen by hand

  constructor() {
    super();
    $("slider").addEventListener("input", (event) => this.#move(Number(event.target.value)));
    $("threshold-cost").addEventListener("change", (event) => {
      const cost = event.target.valueAsNumber;
      if (Number.isFinite(cost)) this.#move(cost);
      else this.#explain();
    });
    $("curve-kind").addEventListener("change", () => {
      this.#followed = false;
      this.#explain();
    });
    this.#explain();
  }

  /** The name where it has one, as the API takes either. */
  get value() {
    return this.name ?? this.cost;
  }

  /** The cost of it for a kind of input; that of a stored one may differ by kind. */
  at(kind) {
    return this.#entry?.cost_by_kind?.[kind] ?? this.cost;
  }

  get #entry() {
    return this.#stored.find(({ name }) => name === this.name);
  }

  /** Take the stored thresholds and curves of a gauge, and the server's threshold, from `/info`. */
  describe({ threshold, thresholds, curves }) {
    this.#stored = thresholds;
    this.#curves = curves && Object.keys(curves).length > 0 ? curves : null;
    const stop = (name, cost, share) => {
      const promise = share === undefined ? "" : `, at most ${promised(share)} false alarms`;
      const button = el("button", { type: "button", class: "chip" }, name, el("small", {}, signed(cost) + promise));
      button.addEventListener("click", () => this.#move(cost, name === EVEN ? null : name));
      button.dataset.cost = cost;
      return button;
    };
    $("stops").replaceChildren(stop(EVEN, 0), ...thresholds.map((each) => stop(each.name, each.cost, each.false_positive_rate)));
    $("slider-stops").replaceChildren(
      ...[0, ...thresholds.map(({ cost }) => cost)].map((cost) => el("option", { value: cost.toFixed(2) })),
    );
    $("curve-kind").replaceChildren(
      ...Object.keys(this.#curves ?? {}).map((kind) => el("option", { value: kind }, KINDS[kind] ?? kind)),
    );
    if (this.#kind in (this.#curves ?? {})) $("curve-kind").value = this.#kind;
    const named = thresholds.find(({ name }) => name === threshold);
    this.#move(named?.cost ?? threshold ?? 0, named?.name);
  }

  /** Show the curve of the first kind of input that is being judged, and what is promised of all. */
  follow(...kinds) {
    if (kinds.join() === this.#kinds.join()) return;
    this.#kinds = kinds;
    [this.#kind] = kinds;
    if (this.#followed && this.#curves && this.#kind in this.#curves) $("curve-kind").value = this.#kind;
    this.#explain();
  }

  #move(cost, name = null) {
    this.cost = cost;
    this.name = name;
    this.#explain();
    this.dispatchEvent(new Event("change"));
  }

  #explain() {
    const slider = $("slider");
    slider.value = this.cost;
    slider.setAttribute("aria-valuetext", `cost ${signed(this.cost)}${this.name ? `, ${this.name}` : ""}`);
    $("threshold-cost").value = Number(this.cost.toFixed(4));
    for (const button of $("stops").children) {
      const name = button.firstChild.data;
      const pressed = Number(button.dataset.cost) === this.cost && (this.name ?? EVEN) === name;
      button.setAttribute("aria-pressed", String(pressed));
    }
    $("promise").textContent = this.#promise();
    this.#showCurve();
  }

  #promise() {
    const stored = this.#entry;
    if (stored === undefined) {
      return this.cost === 0
        ? "At 0 a text is called unsafe once unsafe is as likely as safe."
        : "A threshold of your own: nothing is promised for it.";
    }
    const { kinds = [] } = stored;
    const words = (some) => some.map((kind) => KINDS[kind] ?? kind).join(" and ");
    const others = kinds.length > 0 ? this.#kinds.filter((kind) => !kinds.includes(kind)) : [];
    if (others.length > 0) {
      return `${stored.name} rests on ${words(kinds)}; of ${words(others)} it promises nothing.`;
    }
    return (
      `${stored.name} promises at most ${promised(stored.false_positive_rate)} false alarms on safe ` +
      `texts like the ${count(stored.n)} of ${stored.data}, with ${promised(stored.confidence)} confidence.`
    );
  }

  #showCurve() {
    const kind = $("curve-kind").value;
    const curve = this.#curves?.[kind];
    $("curve-known").hidden = !curve;
    $("curve-unknown").hidden = Boolean(curve);
    if (!curve) return;
    const cost = this.at(kind);
    const { falseAlarms, misses } = at(curve, cost);
    $("alarms").textContent = percent(falseAlarms);
    $("misses").textContent = percent(misses);
    $("alarms-of").textContent = `of ${count(curve.safe)} safe ones are called unsafe`;
    $("misses-of").textContent = `of ${count(curve.unsafe)} unsafe ones are called safe`;
    $("curve-data").textContent = `Counted on ${curve.data}. Other texts may differ.`;
    draw($("curve"), curve, cost);
    $("curve").setAttribute(
      "aria-label",
      `Chart of false alarms, which fall, and misses, which rise, with the threshold. At ${signed(cost)}: ` +
        `${percent(falseAlarms)} false alarms, ${percent(misses)} misses.`,
    );
  }
}

const EVEN = "even odds";
