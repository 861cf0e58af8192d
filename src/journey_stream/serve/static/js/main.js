// Puts the page together: what the address says is asked for and shown, and asked for again when there is news.

import * as address from "./address.js";
import { Asker, setToken } from "./api.js";
import * as cohorts from "./cohorts.js";
import * as contribution from "./contribution.js";
import * as customer from "./customer.js";
import * as customers from "./customers.js";
import { byId, h } from "./dom.js";
import * as filters from "./filters.js";
import * as flows from "./flows.js";
import { moment, words } from "./format.js";
import { follow } from "./live.js";
import { showLosses } from "./losses.js";
import * as sections from "./sections.js";
import { showStages, showTotals } from "./stages.js";
import { blank, failed, loading, ready } from "./states.js";

const STATES = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", disconnected: "Disconnected" };
const NEWS_MS = 1_000;
const PARTS_OF_MAP = ["stations", "flow-picture", "stalls", "drop-offs"].map(byId);
const modelAsker = new Asker(), mapAsker = new Asker(), cohortAsker = new Asker();
let model = null;
let version = null;
let told = null;
let pending = 0;
let mapAt = null;
let outdated = null;
let travelled = false;

function begin() {
  filters.start();
  flows.start();
  contribution.start();
  customers.start();
  refresh();
  follow(news, liveness);
}

async function readModel() {
  try {
    model = await modelAsker.ask("api/model");
  } catch (error) {
    modelAsker.keeps(error, refresh);
    return; // What is asked for next fails likewise, and says why.
  }
  byId("model").textContent = `${words(model.name)}, version ${model.version}`;
  contribution.know(model);
  customers.know(model);
}

/** Asks for everything that the address wants to see. */
async function refresh() {
  const state = address.read();
  const one = state.customer;
  byId("map-view").hidden = Boolean(one);
  byId("customer-view").hidden = !one;
  document.title = one ? `${one} – Journey map` : "Journey map";
  filters.showFilter();
  if (model === null) await readModel();
  if (one) {
    sections.mark("customers");
    return customer.refresh(one, model, travelled);
  }
  customer.leave();
  return Promise.all([refreshMap(), refreshCohorts(), contribution.refresh(), customers.refresh()]);
}

async function refreshMap() {
  const state = address.read();
  for (const part of PARTS_OF_MAP) loading(part, part.id === "stations");
  try {
    showMap(await mapAsker.ask("api/map", address.pick(state, address.FILTER)));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (mapAsker.keeps(error, refresh)) {
      outdated = error;
      PARTS_OF_MAP.forEach(ready);
    } else {
      [version, mapAt, outdated] = [null, null, null];
      byId("figures").hidden = true;
      byId("nothing").hidden = false;
      failed(byId("nothing"), error, refresh);
    }
    tell();
  }
}

function showMap(map) {
  [version, mapAt, outdated] = [map.version, map.now, null];
  tell();
  filters.showFilter(map.options, map.now);
  byId("as-of").textContent = map.now ? `The map is as of ${moment(map.now)}, version ${map.version}.` : "";
  const chosen = Object.keys(address.pick(address.read(), address.FILTER)).length > 0;
  const empty = map.totals.customers === 0;
  byId("figures").hidden = empty;
  byId("nothing").hidden = !empty;
  if (empty && chosen) {
    blank(byId("nothing"), "Nobody fits this filter", ["There is no customer with such a touchpoint in this time, or in this segment now."],
      h("button", { type: "button", "data-key": "reset", onclick: () => byId("filter-reset").click() }, "Show everybody"));
  } else if (empty) {
    blank(byId("nothing"), "No customer yet", [
      "The map fills by itself as soon as a worker has read the first touchpoints.",
      "If there should be some already: does the worker run, and do service and worker use the same broker, application id and topic prefix?"]);
  } else {
    showTotals(map);
    showStages(map);
    flows.showFlows(map);
    showLosses(map);
  }
}

async function refreshCohorts() {
  const panel = byId("cohort-panel");
  loading(panel);
  try {
    cohorts.showCohorts(await cohortAsker.ask("api/cohorts", address.pick(address.read(), address.FILTER)));
  } catch (error) {
    failed(panel, error, refreshCohorts, cohortAsker.keeps(error, refreshCohorts));
  }
}

/** A version was heard of: what is shown is asked for again, at most once in a while and not where nobody looks. */
function news(heard) {
  told = heard.version;
  if (pending || told === version) return;
  pending = setTimeout(() => {
    pending = 0;
    if (!document.hidden && told !== version && !mapAsker.rests) refresh();
  }, NEWS_MS);
}

function liveness(state) {
  const badge = byId("live");
  const was = badge.dataset.state;
  if (was === state) return;
  badge.dataset.state = state;
  byId("live-text").textContent = STATES[state];
  if (state === "live" && was !== "connecting") refresh(); // what failed meanwhile is asked for again
  tell();
}

/** Says above the map why it is older than it could be. */
function tell() {
  const asOf = mapAt ? `; this is the map as of ${moment(mapAt)}` : "";
  let text = "";
  if (byId("live").dataset.state === "disconnected") {
    text = `There is no connection to the service${asOf}. The page goes on trying, and is up to date again once it is back.`;
  } else if (outdated?.status) {
    text = `The service could not answer${asOf}. The page asks again by itself. ${outdated.message}`;
  }
  const notice = byId("notice");
  notice.hidden = !text;
  if (notice.textContent !== text) notice.textContent = text; // told once, not with every attempt
}

/** What changes with the address: credits by another model are there already, all else is asked for. */
let before = location.search;
function moved() {
  const [was, is] = [new URLSearchParams(before), new URLSearchParams(location.search)];
  before = location.search;
  const changed = new Set([...was.keys(), ...is.keys()].filter((name) => was.get(name) !== is.get(name)));
  const only = (names) => [...changed].every((name) => names.includes(name));
  if (!changed.size) return;
  travelled = true;
  if (only(["credit"])) contribution.showModel();
  else if (only(address.CREDIT)) contribution.refresh();
  else if (only(address.SEARCH)) customers.refresh();
  else refresh();
}

/** Links within the page go without loading it again. */
function follows(event) {
  const link = event.target.closest?.("a[data-link]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const url = new URL(link.href);
  history.pushState(null, "", url.pathname + url.search + url.hash);
  moved();
  if (url.hash) byId(url.hash.slice(1)).scrollIntoView();
  else scrollTo({ top: 0, behavior: "instant" });
}

function askForToken() {
  const dialog = byId("token-dialog");
  if (dialog.open) return;
  byId("token-wrong").hidden = !sessionStorage.getItem("journey-map-token");
  dialog.showModal();
}

byId("token-form").addEventListener("submit", () => {
  setToken(byId("token").value.trim());
  byId("token").value = "";
  dispatchEvent(new Event("token-given"));
  location.reload();
});

addEventListener("popstate", moved);
addEventListener("address", moved);
addEventListener("token-needed", askForToken);
document.addEventListener("click", follows);
document.addEventListener("visibilitychange", () => { if (!document.hidden && told !== null && told !== version) news({ version: told }); });
sections.start((hash) => address.read().customer && address.go({ customer: "" }, { hash }));
begin();
