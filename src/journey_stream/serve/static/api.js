// Asking the service, and hearing from it.

export class Failure extends Error {}

const FILTERS = ["from", "to", "channel", "campaign", "segment"];

export function filterOf(search) {
  const given = new URLSearchParams(search);
  const chosen = new URLSearchParams();
  for (const name of FILTERS) if (given.get(name)) chosen.set(name, given.get(name));
  return chosen;
}

export async function ask(path, parameters, signal) {
  const query = new URLSearchParams(parameters ?? {}).toString();
  let answer;
  try {
    answer = await fetch(query ? `${path}?${query}` : path, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The service does not answer. It is asked again when the connection is back.");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Failure(body.error ?? `The service answered ${answer.status}.`), { status: answer.status });
  return body;
}

// Tells of each new version and of the state of the connection. The browser connects again by itself as long as the
// service answers; where it gives up, a new try follows here.
export function listen(onVersion, onState) {
  let source, timer, failures = 0;
  const connect = () => {
    source = new EventSource("/api/stream");
    source.addEventListener("open", () => { failures = 0; onState("live"); });
    source.addEventListener("version", (event) => { onState("live"); onVersion(JSON.parse(event.data)); });
    source.addEventListener("error", () => {
      failures += 1;
      onState(failures > 5 ? "disconnected" : "reconnecting");
      source.close();
      clearTimeout(timer);
      timer = setTimeout(connect, Math.min(1000 * failures, 5000));
    });
  };
  connect();
}
