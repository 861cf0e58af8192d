// The map itself: one card for each stage, in the order of the journey.

import { h } from "./dom.js";
import { count, duration, moment, touch } from "./words.js";

export const BANDS = ["low", "medium", "high", "critical", "unscored"];
const TRIGGERS_MAX = 3;

export function totals(map) {
  const facts = [["Customers", map.totals.customers], ["Touchpoints", map.totals.touchpoints], ["Stage changes", map.totals.changes],
    ["Corrections", map.totals.corrections], ["Dead letters", map.totals.dead_letters]];
  return h("section", { class: "card", "aria-label": "Totals" },
    h("header", {}, h("h2", {}, "Where customers are"), h("p", {}, `as of ${moment(map.now)}`)),
    h("dl", { class: "totals" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { "data-total": name }, count(value))))));
}

export function stages(map) {
  const bands = new Map(map.bands.map((one) => [one.stage, one]));
  const everybody = Math.max(1, map.stages.reduce((sum, one) => sum + one.customers_now, 0));
  return h("section", { "aria-label": "Stages of the journey" },
    h("ol", { class: "stages" }, map.stages.map((one) => station(one, bands.get(one.id), everybody))));
}

export function legend() {
  return h("ul", { class: "legend", "aria-label": "Colours of churn risk" }, BANDS.map((band) =>
    h("li", {}, h("i", { class: `band-${band}` }), band === "unscored" ? "no score" : `${band} risk`)));
}

function station(one, bands, everybody) {
  return h("li", { class: "stage", "data-stage": one.id },
    h("h3", {}, one.id),
    h("p", { class: "meaning" }, one.meaning ?? "No stage of the present model."),
    h("p", { class: "now" }, h("span", { "data-number": "now" }, count(one.customers_now)), " ",
      h("small", {}, `now · ${Math.round((100 * one.customers_now) / everybody)} %`)),
    bands ? bar(one.id, bands) : null,
    h("dl", { class: "facts" },
      h("dt", {}, "entered"), h("dd", {}, count(one.entered)),
      h("dt", {}, "left"), h("dd", {}, count(one.left)),
      h("dt", {}, "median time"), h("dd", {}, duration(one.median_seconds))),
    triggers("Brought here by", one.brought_by),
    triggers("Left in silence after", one.left_after));
}

function bar(id, bands) {
  const all = BANDS.reduce((sum, band) => sum + bands[band], 0);
  if (!all) return null;
  const words = BANDS.filter((band) => bands[band]).map((band) => `${count(bands[band])} ${band}`).join(", ");
  return h("div", { class: "bands", role: "img", "aria-label": `Churn risk in ${id}: ${words}`, title: words },
    BANDS.map((band) => h("i", { class: `band-${band}`, vars: { width: `${(100 * bands[band]) / all}%` } })));
}

function triggers(title, list) {
  if (!list.length) return null;
  return h("div", {}, h("p", { class: "mini" }, title), h("ul", { class: "triggers" },
    list.slice(0, TRIGGERS_MAX).map((one) => h("li", {}, h("span", {}, touch(one)), h("span", {}, count(one.count))))));
}
