// Puts the page together: what is asked follows the address, and everything is asked again when there is news.

import { ask, Failure, filterOf, listen } from "./api.js";
import { h } from "./dom.js";
import { attribution, cohorts, dropOffs, stalls } from "./lists.js";
import { customers, person } from "./people.js";
import { flows } from "./sankey.js";
import { legend, stages, totals } from "./stages.js";

const main = document.getElementById("main");
const form = document.getElementById("filters");
const live = document.getElementById("live");
const STATES = { connecting: "Connecting …", live: "Live", reconnecting: "Reconnecting …", disconnected: "Disconnected: what is shown may be old" };

const state = { search: "", credit: "markov", by: "type", version: null };
let running, again = false;

function filters() {
  return filterOf(location.search);
}

function chooseFilter(name, value) {
  const chosen = filters();
  if (value) chosen.set(name, value);
  else chosen.delete(name);
  const query = chosen.toString();
  history.pushState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
  refresh(true);
}

function drawFilters(options) {
  if (form.contains(document.activeElement) && document.activeElement !== form) return;
  const chosen = filters();
  const select = (name, title, values) => h("label", {}, title, h("select", { name, onchange: (event) => chooseFilter(name, event.target.value) },
    h("option", { value: "" }, "all"), [...new Set([...values, ...(chosen.get(name) ? [chosen.get(name)] : [])])].map((value) =>
      h("option", { value, selected: value === chosen.get(name) }, value))));
  const date = (name, title) => h("label", {}, title, h("input", { type: "date", name, value: (chosen.get(name) ?? "").slice(0, 10),
    onchange: (event) => chooseFilter(name, event.target.value ? `${event.target.value}T00:00:00Z` : "") }));
  form.replaceChildren(date("from", "From"), date("to", "Before"), select("channel", "Channel", options.channels),
    select("campaign", "Campaign", options.campaigns), select("segment", "Segment", options.segments),
    h("button", { type: "button", hidden: [...chosen].length === 0, onclick: () => { history.pushState(null, "", location.pathname + location.hash); refresh(true); } }, "Clear"));
}

async function draw(signal) {
  const [, profile] = location.hash.match(/^#\/customers\/(.+)$/) ?? [];
  if (profile) {
    const one = await ask(`/api/customers/${encodeURIComponent(decodeURIComponent(profile))}`, {}, signal);
    form.hidden = true;
    return person(one);
  }
  form.hidden = false;
  const chosen = filters();
  const search = state.search ? { q: state.search } : {};
  if (chosen.get("segment")) search.segment = chosen.get("segment");
  const [map, kept, credits, found] = await Promise.all([
    ask("/api/map", chosen, signal), ask("/api/cohorts", chosen, signal),
    ask("/api/attribution", { ...Object.fromEntries(chosen), by: state.by }, signal),
    ask("/api/customers", { ...search, limit: 12 }, signal),
  ]);
  state.version = map.version;
  drawFilters(map.options);
  if (!map.stages.some((one) => one.entered || one.customers_now) && ![...chosen].length) {
    return h("div", { class: "notice" }, h("p", {}, "No customer yet."),
      h("p", {}, "The map fills as soon as a worker has published the first stage change. It is connected and waits."));
  }
  return [
    totals(map), stages(map), legend(), flows(map),
    h("div", { class: "pair" }, stalls(map), dropOffs(map)),
    cohorts(kept),
    attribution(credits, state.credit, state.by, (name, value) => { state[name] = value; refresh(true); }),
    customers(found, state.search, (q) => { state.search = q; refresh(true); }),
  ];
}

// One drawing at a time: news that come meanwhile lead to one more. What the person chose does not wait.
async function refresh(now) {
  if (running && !now) { again = true; return; }
  running?.abort();
  const mine = (running = new AbortController());
  const kept = focused();
  try {
    const content = await draw(mine.signal);
    if (mine.signal.aborted) return;
    main.replaceChildren(...[content].flat());
    main.classList.remove("stale");
    restore(kept);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Failure)) throw error;
    failed(error);
  } finally {
    if (running === mine) {
      running = undefined;
      if (again) { again = false; refresh(false); }
    }
  }
}

function failed(error) {
  // What was shown stays, faint, rather than to be gone for a moment's trouble; but not another page's.
  const keep = main.querySelector("[data-stage]") && !error.status;
  if (keep) { main.classList.add("stale"); return; }
  main.replaceChildren(h("div", { class: "notice bad", role: "alert" }, h("p", {}, error.message),
    h("p", {}, h("a", { href: "#/", onclick: () => refresh(true) }, "To the map"))));
  if (error.status === 503) setTimeout(() => refresh(false), 1000);
}

function focused() {
  const element = document.activeElement;
  return main.contains(element) && element.name ? { name: element.name, from: element.selectionStart, value: element.value } : null;
}

function restore(kept) {
  const element = kept && main.querySelector(`[name="${kept.name}"]`);
  if (!element) return;
  if (element.tagName === "INPUT") element.value = kept.value;
  element.focus({ preventScroll: true });
  if (element.setSelectionRange && kept.from !== null) element.setSelectionRange(kept.from, kept.from);
}

window.addEventListener("popstate", () => refresh(true));
window.addEventListener("hashchange", async () => { await refresh(true); window.scrollTo(0, 0); main.focus({ preventScroll: true }); });
main.append(h("p", { class: "loading" }, "Reading the map …"));
refresh(true);
listen((news) => { if (news.version !== state.version || location.hash.startsWith("#/customers/")) refresh(false); },
  (name) => {
    const was = live.dataset.state;
    live.dataset.state = name;
    if (live.textContent !== STATES[name]) live.textContent = STATES[name];
    if (name === "live" && was !== "live" && was !== "connecting") refresh(false);
  });
