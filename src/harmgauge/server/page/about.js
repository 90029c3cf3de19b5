// What there is to know of the gauge that speaks, out of `/info`.

import { $, el } from "./dom.js";
import { percent } from "./numbers.js";

export function about(info) {
  $("gauge-name").textContent = info.gauge;
  const facts = [
    ["Gauge", info.gauge],
    ["What", info.description],
    ["Licence of the weights", info.licence],
    ["Direction", `${info.direction}: a cost below 0 is safe, above 0 unsafe`],
    ["Prior", typeof info.prior === "number" ? `${percent(info.prior)} of texts unsafe; costs are log-odds at that share` : null],
    ["SHA-256", info.sha256],
    ["Policy", info.policy?.version],
    ["harmgauge", info.version],
  ];
  $("facts").replaceChildren(
    ...facts
      .filter(([, value]) => value)
      .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );
}
