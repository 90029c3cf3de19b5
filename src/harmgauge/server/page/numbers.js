// Costs, probabilities and odds in figures and words.

const MINUS = "\u2212";
const SPACE = "\u202f";

/** A cost with its sign: +1.52, −0.30, 0.00. */
export function signed(cost, digits = 2) {
  const text = Math.abs(cost).toFixed(digits);
  if (Number(text) === 0) return text;
  return (cost < 0 ? MINUS : "+") + text;
}

/** A share between 0 and 1 in per cent; what is nearly none or all is not rounded to it. */
export function percent(share) {
  if (share > 0 && share < 0.001) return `<${SPACE}0.1${SPACE}%`;
  if (share < 1 && share > 0.999) return `>${SPACE}99.9${SPACE}%`;
  return `${(100 * share).toFixed(1)}${SPACE}%`;
}

/** A share that was promised, as it was promised: 5 %, 0.1 %. */
export const promised = (share) => `${Number((100 * share).toPrecision(4))}${SPACE}%`;

export const count = (n) => n.toLocaleString("en");

/** A number of things: 1 row, 2,000 rows. */
export const many = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;

export const sigmoid = (cost) => 1 / (1 + Math.exp(-cost));

/** How many times larger the odds are at a cost higher by `difference`. */
export function times(difference) {
  const ratio = Math.exp(Math.abs(difference));
  if (ratio >= 1000) return "more than 1,000 times";
  return `${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)} times`;
}

const CLEAR = 2;
const BORDER = 0.5;

/** Where a cost lies of a threshold: `side` is safe or unsafe, `words` say how clearly. */
export function judgement(cost, threshold) {
  const side = cost >= threshold ? "unsafe" : "safe";
  const margin = Math.abs(cost - threshold);
  const name = side[0].toUpperCase() + side.slice(1);
  if (margin >= CLEAR) return { side, words: `Clearly ${side}` };
  return { side, words: margin >= BORDER ? name : `${name}, close to the border` };
}
