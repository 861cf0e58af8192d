// Which touchpoints, channels or campaigns deserve the credit, by the chosen model, beside what the others say.

import { CREDIT, FILTER, go, pick, read } from "./address.js";
import { Asker } from "./api.js";
import { byId, h, show, showTable, table } from "./dom.js";
import { choose, setOptions } from "./filters.js";
import { count, decimal, plural, share, words } from "./format.js";
import { failed, loading, nothing } from "./states.js";

const MODELS = {
  first: ["First", "The first touchpoint of a path gets all of the credit."],
  last: ["Last", "The last touchpoint before the entry gets all of the credit."],
  linear: ["Linear", "All touchpoints of a path share the credit alike."],
  position: ["Position", "The first and the last get the most, those between share the rest."],
  time_decay: ["Time decay", "The nearer to the entry, the more credit."],
  markov: ["Markov", "By how many entries would be lost without it, if customers moved on as they did."],
  shapley: ["Shapley", "By what it adds on average to every set of others."],
};
const MODEL_DEFAULT = "linear";
const KEYS_MAX = 12;
const form = byId("credit-form");
const root = byId("credits");
const asker = new Asker();
let shown = null;

export function start() {
  show(byId("credit-models"), Object.entries(MODELS).flatMap(([id, [name]]) => [
    h("input", { type: "radio", name: "credit", id: `credit-${id}`, value: id }),
    h("label", { for: `credit-${id}` }, name),
  ]));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => go({ [target.name]: target.value === usual(target.name) ? "" : target.value }));
}

/** Takes the goals that can be chosen from the journey model. */
export function know(model) {
  form.elements.goal.dataset.usual = model.goal;
  setOptions(form.elements.goal, model.stages.map((stage) => stage.id), { first: false });
}

const usual = (name) => ({ goal: form.elements.goal.dataset.usual, by: "type", look_back_days: "30", credit: MODEL_DEFAULT })[name];

/** Asks for the credits of the address and shows them. */
export async function refresh() {
  const state = read();
  for (const name of ["goal", "by", "look_back_days"]) choose(form.elements[name], state[name] ?? usual(name));
  form.elements.credit.value = chosenModel();
  loading(root);
  try {
    shown = await asker.ask("api/attribution", pick(state, [...FILTER, ...CREDIT.filter((name) => name !== "credit")]));
    draw();
  } catch (error) {
    const kept = asker.keeps(error, refresh);
    if (!kept) shown = null;
    failed(root, error, refresh, kept);
  }
}

/** Shows another model of the credits that are there. */
export function showModel() {
  form.elements.credit.value = chosenModel();
  if (shown) draw();
}

function chosenModel() {
  const { credit } = read();
  return credit in MODELS ? credit : MODEL_DEFAULT;
}

function nameOf(key) {
  if (key === null) return "no campaign";
  if (shown.by !== "type") return words(key);
  const [channel, ...type] = key.split(" ");
  return `${words(channel)}: ${words(type.join(" "))}`;
}

function draw() {
  const id = chosenModel();
  byId("credit-meaning").textContent = MODELS[id][1];
  byId("contribution-lead").textContent =
    `Credit for ${plural(shown.conversions, "entry", "entries")} to ${words(shown.goal)}` +
    (shown.unattributed ? `; before ${count(shown.unattributed)} of them there was nothing to credit within ${shown.look_back_days} days.` : ".");
  const ids = Object.keys(MODELS).filter((one) => shown.models[one]);
  const rows = shown.keys.map((key, index) => ({ key, credits: Object.fromEntries(ids.map((one) => [one, shown.models[one][index]])) }));
  rows.sort((one, other) => other.credits[id] - one.credits[id]);
  const credited = rows.filter((row) => ids.some((one) => row.credits[one] > 0));
  if (!credited.length) {
    nothing(root, `Nobody has entered ${words(shown.goal)} in this time, so that there is no credit to give.`);
    showTable(byId("credits-table"), h("p", { class: "hint" }, "No credits."));
    return;
  }
  const most = Math.max(...credited.flatMap((row) => Object.values(row.credits)));
  show(root,
    h("ol", { class: "credits" }, credited.slice(0, KEYS_MAX).map((row) => entry(row, id, most))),
    h("p", { class: "range-said" }, "Bar: the chosen model. Bracket: from the least to the most that any of the seven gives.",
      credited.length > KEYS_MAX ? ` ${credited.length - KEYS_MAX} more are in the table.` : ""));
  showTable(byId("credits-table"), table("Credits by all models", [
    { title: { type: "Touchpoint", channel: "Channel", campaign: "Campaign" }[shown.by], head: true, of: (row) => nameOf(row.key) },
    ...ids.map((one) => ({ title: MODELS[one][0], number: true, of: (row) => decimal(row.credits[one]) })),
  ], credited));
}

function entry(row, id, most) {
  const percent = (credit) => `${((credit / most) * 100).toFixed(2)}%`;
  const all = Object.values(row.credits);
  const [least, greatest] = [Math.min(...all), Math.max(...all)];
  return h("li", {},
    h("span", {}, nameOf(row.key)),
    h("span", { class: "track", "aria-hidden": "true" },
      h("span", { class: "bar-fill", size: { width: percent(row.credits[id]) } }),
      h("span", { class: "range", size: { left: percent(least), width: percent(greatest - least) } })),
    h("span", { class: "how-many" }, h("b", {}, decimal(row.credits[id])),
      h("span", {}, share(row.credits[id] / Math.max(1, shown.conversions - shown.unattributed)))));
}
