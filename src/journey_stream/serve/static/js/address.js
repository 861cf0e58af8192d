// What is looked at stands in the address, so that it can be shared, kept and gone back to.

export const FILTER = ["from", "to", "channel", "campaign", "segment"];
export const CREDIT = ["goal", "by", "look_back_days", "credit"];
export const SEARCH = ["q", "stage", "band"];
const KNOWN = [...FILTER, ...CREDIT, ...SEARCH, "customer"];

/** The known parameters of the address that have a value. */
export function read() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(KNOWN.filter((name) => given.get(name)).map((name) => [name, given.get(name)]));
}

/** The address with some parameters changed; an empty value takes one away. */
export function withChanges(changes) {
  const state = { ...read(), ...changes };
  const query = new URLSearchParams(KNOWN.filter((name) => state[name]).map((name) => [name, state[name]]));
  return query.size ? `?${query}` : location.pathname;
}

/** Goes to another state; `replace` where going back one step should skip this one. */
export function go(changes, { replace = false, hash = "" } = {}) {
  const target = withChanges(changes) + hash;
  if (target === location.pathname + location.search + hash || target === location.search + hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  dispatchEvent(new Event("address"));
}

export function pick(state, names) {
  return Object.fromEntries(names.filter((name) => state[name]).map((name) => [name, state[name]]));
}
