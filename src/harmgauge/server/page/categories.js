// Kinds of harm as bars. One that the gauge does not know is listed as unknown, never as 0.

import { el } from "./dom.js";
import { percent } from "./numbers.js";

/** BeaverTails' fourteen, as `harmgauge.taxonomy` names them. */
const NAMES = {
  animal_abuse: "Cruelty to animals",
  child_abuse: "Harm to minors",
  controversial_topics_politics: "Inflammatory politics",
  discrimination_stereotype_injustice: "Discrimination",
  drug_abuse_weapons_banned_substance: "Drugs, weapons",
  financial_crime_property_crime_theft: "Fraud, theft",
  hate_speech_offensive_language: "Hate, insults",
  misinformation_regarding_ethics_laws_and_safety: "Misinformation",
  non_violent_unethical_behavior: "Lies, manipulation",
  privacy_violation: "Privacy",
  self_harm: "Self-harm",
  sexually_explicit_adult_content: "Sexual content",
  terrorism_organized_crime: "Terror, organised crime",
  violence_aiding_and_abetting_incitement: "Violence",
};

export const nameOf = (category) =>
  Object.hasOwn(NAMES, category) ? NAMES[category] : category.replaceAll("_", " ");

/** A sentence on the categories that a gauge does not know, or none. */
export function unknownTo(known) {
  const missing = Object.keys(NAMES).filter((category) => !known.includes(category));
  if (known.length === 0) return "This gauge tells no categories: all are unknown, not absent.";
  if (missing.length === 0 || missing.length === Object.keys(NAMES).length) return "";
  return `Unknown to this gauge, which is not the same as absent: ${missing.map(nameOf).join(", ")}.`;
}

/** Grey the bars in their places while what they showed no longer holds. */
export function rest(list) {
  list.classList.add("resting");
  for (const value of list.querySelectorAll(".bar-value")) value.textContent = "–";
}

/** One row a category, the likeliest first; without `values` the bars are empty and the figures –. */
export function bars(list, known, values) {
  const sorted = [...known].sort((a, b) => (values ? (values[b] ?? -1) - (values[a] ?? -1) : 0));
  list.classList.remove("resting");
  list.replaceChildren(
    ...sorted.map((category) => {
      const share = values?.[category];
      const fill = el("span", { class: "bar-fill" });
      fill.style.inlineSize = `${100 * (share ?? 0)}%`;
      return el(
        "li",
        { "data-category": category },
        el("span", { class: "bar-name" }, nameOf(category)),
        el("span", { class: "bar", "aria-hidden": "true" }, fill),
        el("span", { class: "bar-value" }, share === undefined ? "–" : percent(share)),
      );
    }),
  );
}
