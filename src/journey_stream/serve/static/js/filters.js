// The filter above the map: what is chosen stands in the address, what can be chosen comes with the map.

import { FILTER, go, pick, read } from "./address.js";
import { byId, h } from "./dom.js";
import { words } from "./format.js";

const DAY_MS = 86_400_000;
const form = byId("filters");
let now = null;

export function start() {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    go(Object.fromEntries(FILTER.map((name) => [name, ""])));
  });
  form.addEventListener("change", ({ target }) => {
    if (target.name === "span") go(target.value ? { from: daysBefore(Number(target.value)), to: "" } : { from: "", to: "" });
    else go({ [target.name]: target.value });
  });
}

/** Shows the filter of the address; `options` and `end` as the map says, once there is one. */
export function showFilter(options = null, end = null) {
  now = end ?? now;
  const state = read();
  for (const name of ["channel", "campaign", "segment"]) {
    const select = form.elements[name];
    if (options) setOptions(select, options[`${name}s`]);
    choose(select, state[name]);
  }
  form.elements.from.value = (state.from ?? "").slice(0, 10);
  form.elements.to.value = (state.to ?? "").slice(0, 10);
  const days = [30, 90, 365].find((one) => !state.to && state.from && state.from === daysBefore(one));
  form.elements.span.value = days ? String(days) : state.from || state.to ? "own" : "";
  byId("filter-reset").disabled = !Object.keys(pick(state, FILTER)).length;
}

/** Selects a value, which may be one that the map does not offer (any more). */
export function choose(select, value = "") {
  if (![...select.options].some((option) => option.value === value)) select.append(h("option", { value }, words(value)));
  select.value = value;
}

/** Offers these values below the first entry, and keeps what is chosen. */
export function setOptions(select, values, { first = true } = {}) {
  const chosen = select.value;
  const wanted = values.join("\n");
  if (select.dataset.offered === wanted) return;
  select.dataset.offered = wanted;
  select.replaceChildren(...(first ? [select.options[0]] : []), ...values.map((value) => h("option", { value }, words(value))));
  if (chosen) choose(select, chosen);
}

function daysBefore(days) {
  const end = now ? new Date(now).getTime() : Date.now();
  return new Date(Math.floor(end / DAY_MS) * DAY_MS - days * DAY_MS).toISOString().slice(0, 10);
}
