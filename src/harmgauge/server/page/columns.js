// Which columns of a file are judged, and one row of them as an exchange.

export const ROLES = ["prompt", "response", "messages"];

/**
 * The columns by their names, `{prompt, response, messages}`, null where there is none. As in
 * `harmgauge score --input`, `text` is a prompt where there is no column of the other names.
 */
export function recognise(columns) {
  const find = (name) => columns.find((column) => column.trim().toLowerCase() === name) ?? null;
  const chosen = { prompt: find("prompt"), response: find("response"), messages: find("messages") };
  if (ROLES.every((role) => chosen[role] === null)) chosen.prompt = find("text");
  return chosen;
}

/** Whether anything is to be judged. */
export const chosenAny = (chosen) => ROLES.some((role) => chosen[role] !== null);

/** One row as the API takes it. Throws with a reason where it cannot be. */
export function exchangeOf(values, chosen) {
  const cell = (role) => (chosen[role] === null ? null : (values[chosen[role]] ?? null));
  const [prompt, response, messages] = [text(cell("prompt"), "prompt"), text(cell("response"), "response"), cell("messages")];
  if (messages !== null && messages.length !== 0) {
    const turns = conversation(messages);
    return { messages: response === null ? turns : [...turns, { role: "assistant", content: response }] };
  }
  if (prompt === null && response === null) throw new Error("There is nothing in the columns to judge.");
  // CSV has no null: beside a response, a blank prompt says that there was none.
  if (response === null) return { prompt };
  return prompt === null || prompt === "" ? { response } : { prompt, response };
}

function text(cell, role) {
  if (cell === null || typeof cell === "string") return cell;
  throw new Error(`The ${role} is no text but ${kindOf(cell)}.`);
}

function kindOf(cell) {
  if (Array.isArray(cell)) return "a list";
  // A number of many digits is kept as it was written.
  if (typeof cell === "number" || JSON.isRawJSON?.(cell)) return "a number";
  return typeof cell === "boolean" ? "true or false" : "an object";
}

function conversation(cell) {
  let turns = cell;
  if (typeof cell === "string") {
    try {
      turns = JSON.parse(cell);
    } catch {
      throw new Error("The messages are not valid JSON.");
    }
  }
  if (!Array.isArray(turns)) throw new Error("The messages are no list.");
  return turns;
}
