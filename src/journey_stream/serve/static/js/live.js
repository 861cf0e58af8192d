// News of the service. `EventSource` cannot carry a token, so the stream is read by `fetch`.

import { headers } from "./api.js";

const QUIET_MS_MAX = 45_000; // the service says something every 15 s
const PAUSES_MS = [300, 1_000, 2_000, 4_000, 8_000, 15_000];
const FAILURES_BEFORE_DISCONNECTED = 4;

/**
 * Follows the stream for as long as the page lives. `heard` gets every version, `changed` each new state: connecting,
 * live, reconnecting or disconnected.
 */
export function follow(heard, changed) {
  let failures = 0;
  let wake = () => {};

  const rest = (ms) => new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => { clearTimeout(timer); resolve(); };
  });

  async function run() {
    changed("connecting");
    for (;;) {
      const wasLive = await listen((version) => {
        failures = 0;
        changed("live");
        heard(version);
      }).catch(() => false);
      failures = wasLive ? 1 : failures + 1;
      changed(failures >= FAILURES_BEFORE_DISCONNECTED || !navigator.onLine ? "disconnected" : "reconnecting");
      await rest(PAUSES_MS[Math.min(failures, PAUSES_MS.length) - 1]);
    }
  }

  addEventListener("online", () => wake());
  addEventListener("token-given", () => wake());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });
  run();
}

/** Reads one stream to its end; tells whether anything was heard. */
async function listen(heard) {
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), QUIET_MS_MAX);
  let any = false;
  try {
    const response = await fetch("api/stream", { headers: headers(), signal: controller.signal, cache: "no-store" });
    if (response.status === 401) dispatchEvent(new Event("token-needed"));
    if (!response.ok) return false;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return any;
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), QUIET_MS_MAX);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const data of blocks.map(dataOf).filter((one) => one !== null)) {
        any = true;
        heard(JSON.parse(data));
      }
    }
  } catch {
    return any;
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

function dataOf(block) {
  const lines = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
  return lines.length ? lines.join("\n") : null;
}
