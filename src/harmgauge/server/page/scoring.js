// Rows scored in chunks that the server takes. A row that it refuses fails alone.

import { ApiError, score } from "./api.js";
import { exchangeOf } from "./columns.js";
import { kindOf } from "./exchange.js";

const CHUNK = 64;
/** what is sent at once, so that the server's batches stay full */
const AT_ONCE = 2;

/**
 * Give every row without one a `verdict` and its `kind`; one with an `error` of its own is left alone.
 *
 * @param limits of `/info`; `max_exchanges` and `max_body_bytes` may be missing
 * @param scored called after each chunk
 */
export async function scoreRows(rows, chosen, limits, signal, scored) {
  const chunks = chunked(rows, chosen, limits);
  const work = async () => {
    for (const chunk of chunks) {
      signal.throwIfAborted();
      await scoreChunk(chunk, signal);
      scored();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Lists of `{row, exchange}` within the limits; rows that make no exchange get their error. */
function* chunked(rows, chosen, limits) {
  const most = Math.min(CHUNK, limits.max_exchanges ?? CHUNK);
  const bytes = 0.8 * (limits.max_body_bytes ?? 1e6);
  let chunk = [];
  let size = 0;
  for (const row of rows) {
    if (row.error !== null || row.verdict !== undefined) continue;
    let exchange;
    try {
      exchange = exchangeOf(row.values, chosen);
      row.kind = kindOf(exchange);
    } catch (error) {
      row.verdict = failed(error.message);
      continue;
    }
    const length = new TextEncoder().encode(JSON.stringify(exchange)).length;
    if (chunk.length === most || (chunk.length > 0 && size + length > bytes)) {
      yield chunk;
      [chunk, size] = [[], 0];
    }
    chunk.push({ row, exchange });
    size += length + 1;
  }
  yield chunk; // also where it is empty, so that failed rows are shown
}

async function scoreChunk(chunk, signal) {
  if (chunk.length === 0) return;
  try {
    const verdicts = await score(chunk.map(({ exchange }) => exchange), signal);
    chunk.forEach(({ row }, i) => {
      row.verdict = verdicts[i];
    });
  } catch (error) {
    if (!(error instanceof ApiError) || !REFUSED.has(error.status)) throw error;
    if (chunk.length === 1) {
      chunk[0].row.verdict = failed(error.message);
      return;
    }
    // One row spoils the whole body: halve it until it stands alone.
    const middle = chunk.length >> 1;
    await scoreChunk(chunk.slice(0, middle), signal);
    await scoreChunk(chunk.slice(middle), signal);
  }
}

const REFUSED = new Set([400, 413, 422]);

const failed = (error) => ({ cost: null, probability: null, empty: null, categories: null, error });
