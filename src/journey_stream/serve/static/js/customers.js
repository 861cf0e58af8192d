// Finding a customer.

import { FILTER, SEARCH, go, pick, read, withChanges } from "./address.js";
import { Asker } from "./api.js";
import { byId, h, show, table } from "./dom.js";
import { choose, setOptions } from "./filters.js";
import { date, moment, plural, share, words } from "./format.js";
import { failed, loading, nothing } from "./states.js";

const LIMIT = 25;
const TYPING_MS = 250;
const form = byId("search");
const root = byId("found");
const asker = new Asker();
let typing = 0;

export function start() {
  const changed = () => go(Object.fromEntries(SEARCH.map((name) => [name, form.elements[name].value.trim()])), { replace: true });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
  form.addEventListener("change", changed);
  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(changed, TYPING_MS);
  });
}

/** Takes the stages that can be chosen from the journey model. */
export function know(model) {
  setOptions(form.elements.stage, model.stages.map((stage) => stage.id));
}

/** Asks for the customers of the address and shows them. */
export async function refresh() {
  const state = read();
  if (document.activeElement !== form.elements.q) form.elements.q.value = state.q ?? "";
  choose(form.elements.stage, state.stage);
  choose(form.elements.band, state.band);
  loading(root);
  try {
    draw((await asker.ask("api/customers", { ...pick(state, [...FILTER, ...SEARCH]), limit: LIMIT + 1 })).customers);
  } catch (error) {
    failed(root, error, refresh, asker.keeps(error, refresh));
  }
}

function draw(customers) {
  if (!customers.length) return nothing(root, "No customer fits.");
  const rows = customers.slice(0, LIMIT);
  show(root,
    table("Customers, the latest touchpoint first", [
      { title: "Customer", head: true, of: link },
      { title: "Stage", of: (one) => (one.stage ? words(one.stage) : "none yet") },
      { title: "Since", class: "optional", of: (one) => date(one.entered_at) },
      { title: "Churn risk", of: (one) => risk(one.band, one.probability) },
      { title: "Segment", class: "optional", of: (one) => (one.segment ? words(one.segment) : "–") },
      { title: "Last touchpoint", class: "optional", of: (one) => moment(one.last_touchpoint_at) },
    ], rows, { class: "found" }),
    h("p", { class: "hint more-row", role: "status" },
      customers.length > LIMIT ? `The ${LIMIT} with the latest touchpoint. Type more of an identifier to find others.` : plural(customers.length, "customer")));
}

function link({ profile_id: id }) {
  return h("a", { href: withChanges({ customer: id }), "data-link": "customer", "data-key": `customer-${id}` }, id);
}

export function risk(band, probability) {
  if (!band) return h("span", { class: "pill unscored" }, "unscored");
  return h("span", { class: `pill ${band}` }, probability === null ? band : `${band}, ${share(probability)}`);
}
