// The journey itself: stages as stations on a line.

import { withChanges } from "./address.js";
import { bar, byId, h, show, showTable, table } from "./dom.js";
import { count, duration, moment, plural, share, touch, words } from "./format.js";

export const BANDS = ["low", "medium", "high", "critical", "unscored"];
const WAYS_MAX = 3;
const GONE = "one that counts no more", NOTHING = "nothing since entering";
const DOT_REM_MIN = 0.9, DOT_REM_MAX = 3;
let before = {};

export function showTotals(map) {
  const totals = map.totals;
  const entries = [
    ["Customers", count(totals.customers)],
    ["Touchpoints", count(totals.touchpoints)],
    ["Stage changes", count(totals.changes)],
    ["Corrections", count(totals.corrections)],
    ["Dead letters", count(totals.dead_letters)],
    ["Newest touchpoint", moment(totals.newest_touchpoint_at), "small"],
  ];
  show(byId("totals"), entries.map(([name, value, size]) => {
    const isNew = before[name] !== undefined && before[name] !== value;
    return h("div", {}, h("dt", {}, name), h("dd", { class: [size, isNew && "changed"].filter(Boolean).join(" ") || null }, value));
  }));
  before = Object.fromEntries(entries);
}

export function showStages(map) {
  const most = Math.max(1, ...map.stages.map((stage) => stage.customers_now));
  const bands = new Map(map.bands.map((one) => [one.stage, one]));
  show(byId("stations"), map.stages.map((stage) => station(stage, bands.get(stage.id), most, map.totals.customers)));
  show(byId("band-legend"), h("li", {}, "Churn risk:"), BANDS.map((band) => h("li", {}, h("span", { class: `swatch band ${band}`, "aria-hidden": "true" }), band)));
  showTable(byId("stations-table"), asTable(map, bands));
}

function station(stage, bands, most, customers) {
  const size = `${(DOT_REM_MIN + (DOT_REM_MAX - DOT_REM_MIN) * Math.sqrt(stage.customers_now / most)).toFixed(2)}rem`;
  return h("li", { class: "station" },
    h("div", { class: "rail", "aria-hidden": "true" }, h("span", { class: "station-dot", size: { width: size, height: size } })),
    h("div", { class: "station-head" },
      h("h3", { class: "station-name" }, words(stage.id)),
      h("p", { class: "station-meaning" }, stage.meaning ?? "Not a stage of the journey model any more")),
    h("div", { class: "station-card" },
      h("p", { class: "now" },
        h("a", { href: `${withChanges({ stage: stage.id, q: "", band: "" })}#customers`, "data-link": "customers", "data-key": `now-${stage.id}`,
          "aria-label": `${plural(stage.customers_now, "customer")} in ${words(stage.id)} now: show them` }, count(stage.customers_now)),
        h("span", {}, `now, ${share(customers ? stage.customers_now / customers : null)} of all`)),
      h("div", {}, bands && [bandBar(bands, stage.customers_now), h("p", { class: "bands-said" }, atRisk(bands))]),
      h("dl", { class: "facts" },
        fact("Entered", count(stage.entered)),
        fact("Left", count(stage.left)),
        fact("Median stay", duration(stage.median_seconds))),
      ways("Brought in by", stage.brought_by, GONE, stage.entered ? "Nothing but silence" : "Nobody yet"),
      ways("Left in silence after", stage.left_after, NOTHING, "Nobody", "loss")));
}

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

function bandBar(bands, customers) {
  const parts = BANDS.filter((band) => bands[band]);
  return h("div", { class: "bands", role: "img", "aria-label": `Churn risk: ${parts.map((band) => `${count(bands[band])} ${band}`).join(", ") || "nobody"}` },
    parts.map((band) => h("span", { class: `band ${band}`, size: { width: `${((bands[band] / customers) * 100).toFixed(2)}%` } })));
}

function atRisk(bands) {
  const number = bands.high + bands.critical;
  return number ? `${count(number)} at high or critical risk` : "nobody at high risk";
}

/** The most frequent of what was counted; `unnamed` says what a missing touchpoint means. */
function ways(title, counted, unnamed, none, kind = "") {
  const total = counted.reduce((sum, one) => sum + one.count, 0);
  const first = counted.slice(0, WAYS_MAX);
  return h("div", { class: `ways ${kind}` },
    h("h4", {}, title),
    h("ul", {}, first.length
      ? first.map((one) => h("li", {}, h("span", {}, touch(one.channel, one.type, unnamed)), h("span", {}, share(one.count / total)), bar(one.count / total)))
      : h("li", { class: "none" }, none)));
}

function asTable(map, bands) {
  const all = (counted, unnamed) => counted.map((one) => `${touch(one.channel, one.type, unnamed)} ${count(one.count)}`).join("; ") || "–";
  return table("The journey, stage by stage", [
    { title: "Stage", head: true, of: (stage) => words(stage.id) },
    { title: "Now", number: true, of: (stage) => count(stage.customers_now) },
    { title: "Entered", number: true, of: (stage) => count(stage.entered) },
    { title: "Left", number: true, of: (stage) => count(stage.left) },
    { title: "Median stay", number: true, of: (stage) => duration(stage.median_seconds) },
    ...BANDS.map((band) => ({ title: `Risk ${band}`, number: true, of: (stage) => count(bands.get(stage.id)?.[band] ?? 0) })),
    { title: "Brought in by", of: (stage) => all(stage.brought_by, GONE) },
    { title: "Left in silence after", of: (stage) => all(stage.left_after, NOTHING) },
  ], map.stages);
}
