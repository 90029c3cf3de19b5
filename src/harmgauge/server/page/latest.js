// Only the last word counts: what was asked before it is cancelled, and never shown.

export class Latest {
  #ask;
  #show;
  #delay;
  #timer;
  #controller = new AbortController();

  /**
   * @param ask (value, signal) => a promise of an answer
   * @param show (value, answer, error) => void, called for the last value only; `answer` and
   *   `error` are both null while it is being asked for
   * @param delay how long to wait for more, in milliseconds
   */
  constructor(ask, show, delay = 200) {
    this.#ask = ask;
    this.#show = show;
    this.#delay = delay;
  }

  /** There is a new value; null asks nothing. */
  set(value) {
    clearTimeout(this.#timer);
    this.#controller.abort();
    this.#controller = new AbortController();
    this.#show(value, null, null);
    if (value === null) return;
    const { signal } = this.#controller;
    this.#timer = setTimeout(async () => {
      try {
        const answer = await this.#ask(value, signal);
        if (!signal.aborted) this.#show(value, answer, null);
      } catch (error) {
        if (!signal.aborted) this.#show(value, null, error);
      }
    }, this.#delay);
  }
}
