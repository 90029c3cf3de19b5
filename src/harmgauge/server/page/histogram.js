// The costs of a file as a histogram, the unsafe ones marked.

import { svg } from "./dom.js";
import { REACH } from "./gauge.js";
import { signed } from "./numbers.js";

const BINS = 48;
const [WIDTH, HEIGHT] = [640, 186];
const [SIDE, TOP, BOTTOM] = [8, 4, 30];
const PER_BIN = (WIDTH - 2 * SIDE) / BINS;

/** Draw the costs in equal steps from −6 to +6; those beyond go into the outermost. Returns the most in a step. */
export function histogram(root, judged) {
  const bins = Array.from({ length: BINS }, () => ({ safe: 0, unsafe: 0 }));
  for (const { cost, unsafe } of judged) {
    const bin = Math.floor((BINS * (cost + REACH)) / (2 * REACH));
    bins[Math.max(0, Math.min(BINS - 1, bin))][unsafe ? "unsafe" : "safe"] += 1;
  }
  const most = Math.max(1, ...bins.map(({ safe, unsafe }) => safe + unsafe));
  const tall = (n) => ((HEIGHT - TOP - BOTTOM) * n) / most;
  const bar = (i, from, n, side) =>
    svg("rect", {
      class: `bin-${side}`,
      x: SIDE + PER_BIN * i + 1,
      y: HEIGHT - BOTTOM - tall(from + n),
      width: PER_BIN - 2,
      height: tall(n),
    });
  root.replaceChildren(
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
      ...bins.flatMap(({ safe, unsafe }, i) => [bar(i, 0, safe, "safe"), bar(i, safe, unsafe, "unsafe")]),
      svg("path", { class: "chart-grid", d: `M${SIDE} ${HEIGHT - BOTTOM}H${WIDTH - SIDE}` }),
      ...[-6, -4, -2, 0, 2, 4, 6].map((cost, i) =>
        svg(
          "text",
          {
            class: i === 0 ? null : i === 6 ? "dial-right" : "chart-below",
            x: SIDE + ((WIDTH - 2 * SIDE) * (cost + REACH)) / (2 * REACH),
            y: HEIGHT - BOTTOM + 6,
          },
          signed(cost, 0),
        ),
      ),
    ),
  );
  return most;
}
