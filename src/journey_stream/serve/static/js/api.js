// Questions to the service, and what can go wrong with them.

const TOKEN = "journey-map-token";

/** Has a sentence for people in `message`; `status` 0 when the service cannot be reached. */
export class Failed extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
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
  const query = new URLSearchParams(parameters);
  let response;
  try {
    response = await fetch(query.size ? `${path}?${query}` : path, { headers: headers(), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed(0, "The service cannot be reached. The page tries again by itself.");
  }
  if (response.ok) return response.json();
  if (response.status === 401) dispatchEvent(new Event("token-needed"));
  throw new Failed(response.status, await sentenceOf(response));
}

async function sentenceOf(response) {
  try {
    return (await response.json()).error ?? `The service answered ${response.status}.`;
  } catch {
    return `The service answered ${response.status}, without a reason.`;
  }
}

/** Asks one question at a time: a newer one ends the one before, whose answer nobody waits for any more. */
export class Asker {
  #controller = null;

  async ask(path, parameters) {
    this.#controller?.abort();
    const controller = (this.#controller = new AbortController());
    return ask(path, parameters, controller.signal);
  }
}
