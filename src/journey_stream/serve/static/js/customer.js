// One customer: where they are, how they came there, and why.

import { withChanges } from "./address.js";
import { Asker } from "./api.js";
import { byId, h, show } from "./dom.js";
import { risk } from "./customers.js";
import { capital, moment, plural, share, words } from "./format.js";
import { pathPicture } from "./customer_path.js";
import { timeline } from "./customer_timeline.js";
import { failed, loading, ready } from "./states.js";

const root = byId("customer-view");
const asker = new Asker();
let shownId = null;

/** Asks for a customer and shows them. Who comes from elsewhere on the page gets the focus on the heading. */
export async function refresh(id, model, travelled) {
  const isNew = id !== shownId;
  if (isNew) leave();
  shownId = id;
  loading(root, true);
  try {
    draw(await asker.ask(`api/customers/${encodeURIComponent(id)}`), model);
  } catch (error) {
    if (error.name === "AbortError") return;
    const again = () => refresh(id, model, false);
    if (asker.keeps(error, again)) return ready(root);
    const place = h("div", {});
    show(root, h("div", { class: "person" }, back(), h("h1", { tabindex: "-1" }, id), place));
    failed(place, error, error.status === 404 ? null : again);
  }
  if (isNew && travelled) root.querySelector("h1")?.focus({ preventScroll: true });
}

export function leave() {
  shownId = null;
  asker.stop();
  root.replaceChildren();
}

const back = () => h("a", { class: "person-back", href: `${withChanges({ customer: "" })}#customers`, "data-link": "customers", "data-key": "back" }, "← All customers");

function draw(person, model) {
  const view = person.view;
  show(root, h("article", { class: "person" },
    back(),
    h("h1", { tabindex: "-1" }, person.profile_id),
    h("p", { class: "person-said" }, headline(person)),
    view && traits(view),
    person.changes.some((change) => change.standing) && h("section", { class: "panel path", "aria-labelledby": "path-title" },
      h("h2", { id: "path-title" }, "The way so far"), pathPicture(person, model)),
    h("div", { class: "person-columns" },
      h("section", { class: "panel", "aria-labelledby": "moments-title" }, h("h2", { id: "moments-title" }, "What happened, and why"), timeline(person, () => draw(person, model))),
      h("div", { class: "person-side" }, riskPanel(person), namesPanel(person)))));
}

function headline(person) {
  const view = person.view;
  if (view?.stage) {
    const change = person.changes.find((one) => one.standing && one.to_stage === view.stage && one.entered_at === view.entered_at);
    return ["In ", h("b", {}, words(view.stage)), ` since ${moment(view.entered_at)}`, change ? `: ${lower(change.text)}.` : "."];
  }
  if (view) return "In no stage yet.";
  if (person.merged_into) {
    return ["What was known here belongs to ", h("a", { href: withChanges({ customer: person.merged_into }), "data-link": "customer" }, person.merged_into), " now."];
  }
  return "There is no present view of this profile. What is below is what is still kept.";
}

const lower = (text) => text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, "");

function traits(view) {
  const scores = [["recency", view.rfm_recency], ["frequency", view.rfm_frequency], ["monetary", view.rfm_monetary]].filter(([, score]) => score !== null);
  const trait = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h("dl", { class: "traits" },
    trait("Churn risk", risk(view.band, view.probability)),
    trait("Segment", view.segment ? words(view.segment) : "none"),
    scores.length > 0 && trait("RFM, 1 to 5", scores.map(([name, score]) => `${name} ${score}`).join(", ")),
    trait("Last touchpoint", moment(view.last_touchpoint_at)),
    trait("Before that", view.previous_stage ? words(view.previous_stage) : "no stage"),
    view.overflow && trait("Overflow", "More touchpoints than a profile holds: late ones no longer correct its history."));
}

function riskPanel(person) {
  const current = person.risks.find((one) => one.standing);
  const panel = (...content) => h("section", { class: "panel", "aria-labelledby": "risk-title" }, h("h2", { id: "risk-title" }, "Churn risk"), content);
  if (!current) return panel(h("p", { class: "fine" }, "Not scored: there was no purchase to start from, or scoring is switched off."));
  const most = Math.max(0.01, ...current.contributions.map((one) => Math.abs(one.log_odds)));
  return panel(
    h("p", {}, h("span", { class: "gauge" }, share(current.probability)), " ", risk(current.band, null)),
    h("p", { class: "why" }, `Likely to stay away for the ${plural(Math.round(current.window_days), "day")} from ${moment(current.entered_at)} on.`),
    h("ul", { class: "weights" }, current.contributions.map((one) => h("li", { class: one.log_odds > 0 ? "raises" : "lowers" },
      h("span", {}, capital(one.text)), h("span", {}, `${one.log_odds > 0 ? "+" : "−"}${Math.abs(one.log_odds).toFixed(2)}`),
      h("span", { class: "balance", "aria-hidden": "true" }, h("i", { size: { width: `${((Math.abs(one.log_odds) / most) * 50).toFixed(1)}%` } }))))),
    h("p", { class: "fine more-row" }, "In log-odds against a typical customer: right and above 0 raises the risk, left lowers it. ",
      `${current.model_name}, version ${current.model_version}.`));
}

function namesPanel(person) {
  const own = person.view?.identifiers ?? [];
  return h("section", { class: "panel", "aria-labelledby": "names-title" },
    h("h2", { id: "names-title" }, "Identifiers"),
    h("ul", { class: "names" },
      h("li", {}, h("span", {}, "this profile"), person.profile_id),
      own.map((one) => h("li", {}, h("span", {}, "belongs to it"), one))),
    own.length === 0 && h("p", { class: "fine" }, "No other identifier was seen together with it."));
}
