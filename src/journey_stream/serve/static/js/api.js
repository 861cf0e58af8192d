// Questions to the service, and what can go wrong with them.

const TOKEN = "journey-map-token";
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/**
 * Has a sentence for people in `message`; `status` 0 when the service cannot be reached. What `passes` may go well another
 * time: after `retryMs` if the service says when, else that is null.
 */
export class Failed extends Error {
  constructor(status, sentence, retryAfter = null) {
    super(sentence);
    this.status = status;
    this.passes = status === 0 || status === 429 || status >= 500;
    this.retryMs = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) * 1_000 : null;
  }
}

export function setToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

export function headers() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** The answer as JSON. Raises Failed; an aborted question raises what the browser raises. */
export async function ask(path, parameters = {}, signal = undefined) {
  let response;
  try {
    response = await fetch(addressOf(path, parameters), { headers: headers(), signal });
    if (response.ok) return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed(0, "The service cannot be reached.");
  }
  if (response.status === 401) dispatchEvent(new Event("token-needed"));
  throw new Failed(response.status, await sentenceOf(response), response.headers.get("retry-after"));
}

function addressOf(path, parameters) {
  const query = new URLSearchParams(parameters);
  return query.size ? `${path}?${query}` : path;
}

async function sentenceOf(response) {
  try {
    return (await response.json()).error ?? `The service answered ${response.status}.`;
  } catch {
    return `The service answered ${response.status}, without a reason.`;
  }
}

/**
 * Asks one question at a time. Another question ends the one before, whose answer nobody waits for any more. The same one
 * lets it finish and is then asked once more: an answer that takes longer than news do is shown all the same.
 */
export class Asker {
  #running = null;
  #turn = 0;
  #asked = null;
  #shown = null;
  #timer = 0;
  #failures = 0;

  async ask(path, parameters = {}) {
    this.#rest(0);
    const question = addressOf(path, parameters);
    const turn = ++this.#turn;
    this.#asked = question;
    if (this.#running?.question === question) {
      const wasAnswered = await this.#running.answer.then(() => true, () => false);
      // Whoever asked first says when to ask again after a failure.
      if (turn !== this.#turn || !wasAnswered) throw new DOMException("The question was asked another time.", "AbortError");
    } else {
      this.#running?.controller.abort();
    }
    const controller = new AbortController();
    const running = (this.#running = { question, controller, answer: ask(path, parameters, controller.signal) });
    try {
      const answer = await running.answer;
      this.#shown = question;
      this.#failures = 0;
      return answer;
    } finally {
      if (this.#running === running) this.#running = null;
    }
  }

  /** Whether it asks again after a while, so that nobody else needs to. */
  get rests() {
    return this.#timer !== 0;
  }

  /** Waits for no answer and asks nothing again; what was shown is not there any more. */
  stop() {
    this.#rest(0);
    this.#turn += 1;
    this.#running?.controller.abort();
    [this.#running, this.#shown] = [null, null];
  }

  #rest(ms, again = null) {
    clearTimeout(this.#timer);
    this.#timer = !again ? 0 : setTimeout(() => {
      this.#timer = 0;
      again();
    }, ms);
  }

  /**
   * Calls `again` after a failure that passes, unless something is asked before. Tells whether what is shown can stay: it
   * answers the same question, and the failure says nothing against it.
   */
  keeps(error, again) {
    if (error.name === "AbortError") return true;
    if (error.passes) {
      const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)];
      this.#failures += 1;
      this.#rest(error.retryMs ?? pause, again);
    }
    const can = Boolean(error.passes) && this.#shown === this.#asked;
    if (!can) this.#shown = null;
    return can;
  }
}
