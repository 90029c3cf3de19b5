// The validation curve that a gauge stores: what a threshold means in false alarms and misses.

import { svg } from "./dom.js";
import { REACH } from "./gauge.js";
import { signed } from "./numbers.js";

/**
 * Shares at a threshold, `{falseAlarms, misses}`: of safe texts at or above, of unsafe below. A curve
 * has the lowest and the highest cost and some between, where what lies between two is interpolated.
 */
export function at({ cost, false_alarms, misses }, threshold) {
  const next = firstAtLeast(cost, threshold);
  if (next === cost.length) return { falseAlarms: 0, misses: 1 };
  if (next === 0) return { falseAlarms: false_alarms[0], misses: misses[0] };
  const way = (threshold - cost[next - 1]) / (cost[next] - cost[next - 1]);
  const between = (shares) => shares[next - 1] + way * (shares[next] - shares[next - 1]);
  return { falseAlarms: between(false_alarms), misses: between(misses) };
}

function firstAtLeast(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const [WIDTH, HEIGHT] = [360, 168];
const [LEFT, RIGHT, TOP, BOTTOM] = [38, 10, 12, 24];
const x = (cost) => LEFT + ((WIDTH - LEFT - RIGHT) * (cost + REACH)) / (2 * REACH);
const y = (share) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share;

/** Draw both shares over the threshold, and where the threshold stands now. */
export function draw(root, curve, threshold) {
  const { falseAlarms, misses } = at(curve, threshold);
  const here = x(Math.max(-REACH, Math.min(REACH, threshold)));
  root.replaceChildren(
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
      ...[0, 0.5, 1].flatMap((share) => [
        svg("path", { class: "chart-grid", d: `M${LEFT} ${y(share)}H${WIDTH - RIGHT}` }),
        svg("text", { class: "chart-left", x: LEFT - 6, y: y(share), dy: 4 }, `${100 * share} %`),
      ]),
      ...[-6, -3, 0, 3, 6].map((cost) =>
        svg("text", { class: "chart-below", x: x(cost), y: HEIGHT - 6 }, signed(cost, 0)),
      ),
      svg("path", { class: "chart-alarms", d: line(curve, "falseAlarms") }),
      svg("path", { class: "chart-misses", d: line(curve, "misses") }),
      svg("path", { class: "chart-here", d: `M${here} ${TOP - 6}V${y(0)}` }),
      svg("circle", { class: "chart-alarms", cx: here, cy: y(falseAlarms), r: 4.5 }),
      svg("circle", { class: "chart-misses", cx: here, cy: y(misses), r: 4.5 }),
    ),
  );
}

function line(curve, which) {
  const points = Array.from({ length: 161 }, (_, i) => -REACH + (2 * REACH * i) / 160);
  return points
    .map((cost, i) => `${i ? "L" : "M"}${x(cost).toFixed(1)} ${y(at(curve, cost)[which]).toFixed(1)}`)
    .join("");
}
