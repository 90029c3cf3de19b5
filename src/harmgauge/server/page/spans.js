// Spans of a verdict count code points, as Python does; JavaScript's strings count UTF-16 units,
// of which an emoji has two.

/** UTF-16 offsets of code-point offsets into `text`, in the order given. */
export function toUtf16(text, offsets) {
  const order = [...offsets.keys()].sort((a, b) => offsets[a] - offsets[b]);
  const units = new Array(offsets.length);
  let points = 0;
  let at = 0;
  for (const which of order) {
    while (points < offsets[which] && at < text.length) {
      at += text.codePointAt(at) > 0xffff ? 2 : 1;
      points += 1;
    }
    units[which] = at;
  }
  return units;
}

/** The whole text in pieces, `{text, span}`; `span` is null between spans. Overlaps are cut. */
export function pieces(text, spans) {
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  const units = toUtf16(text, sorted.flatMap((span) => [span.start, span.end]));
  const parts = [];
  let at = 0;
  sorted.forEach((span, i) => {
    const start = Math.max(at, units[2 * i]);
    const end = units[2 * i + 1];
    if (end <= start) return;
    if (start > at) parts.push({ text: text.slice(at, start), span: null });
    parts.push({ text: text.slice(start, end), span });
    at = end;
  });
  if (at < text.length) parts.push({ text: text.slice(at), span: null });
  return parts;
}
