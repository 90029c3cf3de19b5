// The dial: costs from −6 to +6 on half a circle, the border at the threshold, and needles.

import { svg } from "./dom.js";
import { signed } from "./numbers.js";

/** Log-odds at either end of the dial; beyond it a needle stays at the end. */
export const REACH = 6;

const WIDTH = 360;
const HEIGHT = 206;
const X = WIDTH / 2;
const Y = 184;
const RADIUS = 132;

export class Dial {
  #root;
  #safe;
  #unsafe;
  #mark;
  #needles;

  /** @param labels one needle each; an empty label is not drawn */
  constructor(root, labels = [""]) {
    this.#root = root;
    this.#safe = svg("path", { class: "dial-safe" });
    this.#unsafe = svg("path", { class: "dial-unsafe" });
    this.#mark = svg("path", { class: "dial-border" });
    this.#needles = labels.map(needle);
    root.append(
      svg(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
        this.#safe,
        this.#unsafe,
        ...ticks(),
        svg("text", { x: 6, y: HEIGHT - 2, class: "dial-end" }, "safe"),
        svg("text", { x: WIDTH - 6, y: HEIGHT - 2, class: "dial-end dial-right" }, "unsafe"),
        this.#mark,
        ...this.#needles,
        svg("circle", { cx: X, cy: Y, r: 9, class: "dial-hub" }),
      ),
    );
    root.setAttribute("role", "img");
    this.border(0);
  }

  /** Where unsafe begins. */
  border(cost) {
    this.#safe.setAttribute("d", arc(-REACH, cost));
    this.#unsafe.setAttribute("d", arc(cost, REACH));
    const [inner, outer] = [RADIUS - 13, RADIUS + 13].map((radius) => at(cost, radius));
    this.#mark.setAttribute("d", `M${inner}L${outer}`);
  }

  /** Set a needle; null rests it at 0, greyed. `side` is safe or unsafe. */
  point(which, cost, side) {
    const shape = this.#needles[which];
    shape.dataset.side = side ?? "none";
    shape.dataset.cost = cost ?? "";
    // Set through the object model: the page allows no inline style.
    shape.style.transform = `rotate(${degrees(cost ?? 0)}deg)`;
    shape.querySelector("text")?.setAttribute("transform", `rotate(${-degrees(cost ?? 0)} ${X} ${Y - 92})`);
  }

  /** Grey a needle while what it showed no longer holds. */
  rest(which) {
    this.#needles[which].dataset.side = "none";
    this.#needles[which].dataset.cost = "";
  }

  /** What the picture shows, in words. */
  describe(text) {
    this.#root.setAttribute("aria-label", text);
  }
}

/** From straight up, in degrees. */
const degrees = (cost) => (90 * Math.max(-REACH, Math.min(REACH, cost))) / REACH;

/** "x y" of a cost on a circle. */
function at(cost, radius) {
  const angle = (degrees(cost) * Math.PI) / 180;
  return `${(X + radius * Math.sin(angle)).toFixed(2)} ${(Y - radius * Math.cos(angle)).toFixed(2)}`;
}

const arc = (from, to) => `M${at(from, RADIUS)}A${RADIUS} ${RADIUS} 0 0 1 ${at(to, RADIUS)}`;

function ticks() {
  const costs = Array.from({ length: 2 * REACH + 1 }, (_, i) => i - REACH);
  return costs.flatMap((cost) => {
    const long = cost % 2 === 0;
    const line = svg("path", {
      d: `M${at(cost, RADIUS - 13)}L${at(cost, RADIUS - (long ? 22 : 18))}`,
      class: "dial-tick",
    });
    if (!long || Math.abs(cost) === REACH) return [line];
    const [x, y] = at(cost, RADIUS + 24).split(" ");
    return [line, svg("text", { x, y, dy: 4, class: "dial-number" }, signed(cost, 0))];
  });
}

function needle(label) {
  const shape = svg(
    "g",
    { class: "dial-needle", "data-side": "none" },
    svg("path", { d: `M${X - 5} ${Y}L${X - 1} ${Y - RADIUS + 20}h2L${X + 5} ${Y}z` }),
  );
  if (label !== "") {
    shape.append(
      svg("circle", { cx: X, cy: Y - 92, r: 11 }),
      svg("text", { x: X, y: Y - 92, dy: 4.5 }, label),
    );
  }
  return shape;
}
