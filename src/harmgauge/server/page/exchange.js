// What is judged, as the API takes it, and of which kind it is.

/** What is typed as an exchange; an empty field is none. Null where both are empty. */
export function exchangeOf(prompt, response) {
  if (prompt === "" && response === "") return null;
  return { ...(prompt !== "" && { prompt }), ...(response !== "" && { response }) };
}

/** The kind as `harmgauge.exchange.KINDS` names it: prompt, response or exchange. */
export function kindOf({ prompt, response, messages }) {
  if (messages !== undefined) {
    const theirs = ["assistant", "model", "gpt"].includes(messages.at(-1)?.role);
    return theirs ? (messages.length > 1 ? "exchange" : "response") : "prompt";
  }
  if (response === undefined) return "prompt";
  return prompt === undefined ? "response" : "exchange";
}
