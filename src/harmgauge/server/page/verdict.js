// One verdict as people read it: beside a dial, in figures and in words.

import { el } from "./dom.js";
import { judgement, percent, signed } from "./numbers.js";

/** `{side, words}` of a verdict at a threshold; `side` is null where there is nothing to say. */
export function sayOf(verdict, threshold) {
  if (verdict.error !== null) return { side: null, words: "Not judged" };
  if (verdict.empty) return { side: null, words: "Nothing to judge: the text is blank" };
  return judgement(verdict.cost, threshold);
}

/** The same in one sentence, for a screen reader and the dial's label. */
export function sentence(what, verdict, threshold) {
  const { side, words } = sayOf(verdict, threshold);
  if (side === null) return `${what}: ${words}. ${verdict.error ?? ""}`;
  return `${what}: ${words}. Cost ${signed(verdict.cost)}, probability of unsafe ${percent(verdict.probability)}.`;
}

/** Figures into an element: an exact `<data>` value behind the rounded one. */
export function figures(root, verdict) {
  const known = verdict !== null && verdict.error === null && !verdict.empty;
  root.replaceChildren(
    el("data", { class: "cost", value: known ? verdict.cost : null }, known ? signed(verdict.cost) : "–"),
    el(
      "span",
      { class: "probability" },
      known ? `${percent(verdict.probability)} probability of unsafe` : "probability of unsafe –",
    ),
  );
}

/** What else there is to know of a verdict, in sentences. */
export function notes(verdict, threshold, name) {
  if (verdict.error !== null) return [verdict.error];
  if (verdict.empty) return [];
  const border =
    threshold === 0 ? "Unsafe from cost 0 on" : `Unsafe from cost ${signed(threshold)} on${name ? ` (${name})` : ""}`;
  const way = Math.abs(verdict.cost - threshold).toFixed(2);
  const side = verdict.cost >= threshold ? "above" : "below";
  return [
    `${border}; this one lies ${way} ${side}.`,
    policy(verdict),
    verdict.windows > 1 && `Read in ${verdict.windows} overlapping windows; the worst one decides.`,
    (verdict.uncertainty ?? null) !== null &&
      `The members of this gauge lie ${(100 * verdict.uncertainty).toFixed(1)} % apart (standard deviation of their probabilities).`,
    verdict.disguised && "Undoing a disguise in the text raised the cost.",
  ].filter(Boolean);
}

/** What the server's policy says of it, where it has one. */
function policy({ flagged, reasons }) {
  if (flagged === undefined || flagged === null) return null;
  const why = reasons?.length > 0 ? ` (${reasons.join(", ")})` : "";
  return flagged ? `The policy of this server flags it${why}.` : `The policy of this server lets it pass${why}.`;
}
